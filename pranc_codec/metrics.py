"""Quality metrics of two 8-bit images: the original and the decoded one.

    psnr_db    10 log10(255^2 / MSE) in dB, with the mean over all pixels and channels
    ssim       Wang et al., "Image quality assessment: from error visibility to structural
               similarity" (2004), mean over pixels and channels, 1 for equal images
    ms_ssim    Wang et al., "Multi-scale structural similarity for image quality assessment"
               (2003), mean over channels, linear in 0..1 (not in dB), 1 for equal images
    ssimulacra2  the perceptual score of JPEG XL's authors (Sneyers & Alakuijala, 2022): 100 for
               equal images, 90 visually lossless, 50 medium; needs the package of that name

Colours are compared as RGB. The same metrics with other settings give other numbers (many libraries
use a uniform 7x7 window), so report the settings with every number.
"""

import io
import math
from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pranc_codec.errors import InvalidArgument

SSIM_WINDOW: Final = 11  # side of a Gaussian window with sigma 1.5, cut off at 3.5 sigma
SSIMULACRA2_SMALLEST_SIDE: Final = 8
MS_SSIM_SMALLEST_SIDE: Final = (SSIM_WINDOW - 1) * 2**4 + 1  # the window fits after four halvings


def psnr_db(a: UInt8[np.ndarray, "_ _ ..."], b: UInt8[np.ndarray, "_ _ ..."]) -> float:
    """Return the PSNR in dB of two images (h, w) or (h, w, c); infinite for equal images.

    Raises InvalidArgument unless both are uint8 and of one shape, as all metrics here do.
    """
    _check_pair(a, b)
    mse = float(np.mean(np.square(a.astype(np.int32) - b.astype(np.int32)), dtype=np.float64))
    return 10 * math.log10(255**2 / mse) if mse else math.inf


def ssim(a: UInt8[np.ndarray, "_ _ ..."], b: UInt8[np.ndarray, "_ _ ..."]) -> float | None:
    """Return the SSIM of two images (h, w) or (h, w, c), with the paper's 11x11 Gaussian window.

    Returns None if a side has fewer than 11 pixels, because the window does not fit.
    """
    _check_pair(a, b)
    if min(a.shape[:2]) < SSIM_WINDOW:
        return None
    from skimage.metrics import structural_similarity

    mean_similarity: Callable[..., float] = structural_similarity
    value = mean_similarity(
        a,
        b,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=-1 if a.ndim == 3 else None,
    )
    return float(value)


def ms_ssim(a: UInt8[np.ndarray, "_ _ ..."], b: UInt8[np.ndarray, "_ _ ..."]) -> float | None:
    """Return the MS-SSIM of two images (h, w) or (h, w, c), from pytorch_msssim in float32.

    Returns None if a side has 160 pixels or fewer: the five scales halve the image four times, and
    the 11x11 window must still fit. (With padding, the number would be another metric.)
    """
    _check_pair(a, b)
    if min(a.shape[:2]) < MS_SSIM_SMALLEST_SIDE:
        return None
    import torch
    from pytorch_msssim import ms_ssim as multi_scale

    planes = [
        torch.from_numpy(np.atleast_3d(image).astype(np.float32)).permute(2, 0, 1)[None]
        for image in (a, b)
    ]
    return float(multi_scale(*planes, data_range=255))


def ssimulacra2(a: UInt8[np.ndarray, "_ _ ..."], b: UInt8[np.ndarray, "_ _ ..."]) -> float | None:
    """Return SSIMULACRA 2.1 of the original `a` and the decoded `b`, both (h, w) or (h, w, 3).

    The package ssimulacra2 computes it. Returns None if a side has fewer than 8 pixels, or if the
    package is not installed.
    """
    _check_pair(a, b)
    if min(a.shape[:2]) < SSIMULACRA2_SMALLEST_SIDE:
        return None
    try:
        from ssimulacra2 import compute_ssimulacra2
    except ImportError:
        return None
    files = io.BytesIO(), io.BytesIO()  # the package only reads files
    for image, file in zip((a, b), files, strict=True):
        Image.fromarray(image).save(file, "BMP")
    return float(compute_ssimulacra2(*files))


def _check_pair(a: np.ndarray, b: np.ndarray) -> None:
    """Raise InvalidArgument unless both are uint8 images of one shape."""
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise InvalidArgument(
            f"images are compared as uint8 in 0..255, got {a.dtype} and {b.dtype}: "
            "round to 8 bits first"
        )
    if a.shape != b.shape or a.ndim not in (2, 3) or not a.size:
        raise InvalidArgument(
            f"cannot compare images of shapes {a.shape} and {b.shape}: "
            "both must be (h, w) or (h, w, c), equal and not empty"
        )
