"""Likeness of two 8-bit images: the original and what a file decodes to.

    psnr_db    10 log10(255^2 / MSE), the mean taken over all pixels and channels, in dB
    ssim       Wang et al., "Image quality assessment: from error visibility to structural
               similarity" (2004), mean over pixels and channels, 1 when equal
    ms_ssim    Wang et al., "Multi-scale structural similarity for image quality assessment"
               (2003), mean over channels, linear 0..1 (not in dB), 1 when equal
    ssimulacra2  the perceptual score of JPEG XL's authors (Sneyers & Alakuijala, 2022), 100 when
               equal, 90 visually lossless, 50 medium; needs the package of that name

Colours are compared as RGB. Other settings of the same measures give other numbers (a uniform
7x7 window is the usual one), so name these with every number.
"""

import io
import math
from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pranc_codec.errors import InvalidArgument

SSIM_WINDOW: Final = 11  # Gaussian of sigma 1.5, cut off at 3.5 sigma
SSIMULACRA2_SMALLEST_SIDE: Final = 8
MS_SSIM_SMALLEST_SIDE: Final = (SSIM_WINDOW - 1) * 2**4 + 1  # the window, after four halvings


def psnr_db(a: UInt8[np.ndarray, "_ _ ..."], b: UInt8[np.ndarray, "_ _ ..."]) -> float:
    """PSNR in dB of two images (h, w) or (h, w, c); infinite when they are equal."""
    _check_pair(a, b)
    mse = float(np.mean(np.square(a.astype(np.int32) - b.astype(np.int32)), dtype=np.float64))
    return 10 * math.log10(255**2 / mse) if mse else math.inf


def ssim(a: UInt8[np.ndarray, "_ _ ..."], b: UInt8[np.ndarray, "_ _ ..."]) -> float | None:
    """SSIM of two images (h, w) or (h, w, c) with the paper's Gaussian window of 11x11.

    None where a side has fewer than 11 pixels, because the window does not fit in.
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
    """MS-SSIM of two images (h, w) or (h, w, c), as `pytorch_msssim` computes it in float32.

    None where a side has 160 pixels or fewer: its five scales halve the image four times, and
    the 11x11 window must still fit in. (Padding would give a number, but of another measure.)
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
    """SSIMULACRA 2.1 of the original (h, w) or (h, w, 3) and of what was made from it, as the
    package ssimulacra2 computes it.

    None where a side has fewer than 8 pixels, or where the package is not installed.
    """
    _check_pair(a, b)
    if min(a.shape[:2]) < SSIMULACRA2_SMALLEST_SIDE:
        return None
    try:
        from ssimulacra2 import compute_ssimulacra2
    except ImportError:
        return None
    files = io.BytesIO(), io.BytesIO()  # it reads files
    for image, file in zip((a, b), files, strict=True):
        Image.fromarray(image).save(file, "BMP")
    return float(compute_ssimulacra2(*files))


def _check_pair(a: np.ndarray, b: np.ndarray) -> None:
    """Raise unless both are uint8 images of one shape."""
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
