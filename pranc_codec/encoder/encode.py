"""The public function `encode`, which turns an image into the bytes of a file."""

from dataclasses import replace
from typing import Final

import torch

from pranc_codec.device import device_of
from pranc_codec.encoder.mlp.plan import MlpRule
from pranc_codec.encoder.profiles import encoder_of
from pranc_codec.encoder.request import EncodeRequest, ProgressCallback
from pranc_codec.encoder.target import level_of_effort, make_target
from pranc_codec.errors import InvalidArgument
from pranc_codec.format.metadata import Metadata, check_metadata
from pranc_codec.image import ImageLike, Picture, load_picture
from pranc_codec.limits import DEFAULT_LIMITS
from pranc_codec.precision import float32_everywhere

LARGEST_SEED: Final = 2**32 - 1


def encode(
    image: ImageLike,
    *,
    profile: str = "grid",
    quality: float | None = None,
    lmbda: float | None = None,
    bpp: float | None = None,
    psnr: float | None = None,
    effort: int | str = "default",
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: ProgressCallback | None = None,
    metadata: Metadata | None = None,
    rule: MlpRule = MlpRule(),
) -> bytes:
    """Encode an image to the bytes of a .pranc file.

    image: PIL image, NumPy array (uint8, uint16, float in [0, 1]; (h, w) or (h, w, 1 to 4)) or
        path. L, LA, RGB, RGBA keep their mode; alpha is coded losslessly.
    quality, lmbda, bpp, psnr: the target. Give at most one; the default is quality 50. quality is
        1 .. 100. lmbda weighs bpp against the MSE of samples in [0, 1]. bpp is that of the whole
        file and is met within 2 %. psnr is in dB, on 8-bit samples; the result may be up to 0.1 dB
        below it.
    profile: "grid" (wavelet latents and a small network, with the best rate-distortion) or "mlp"
        (one coordinate network whose weights are the file, for very low rates).
    effort: 0 .. 7, or "fast" (2), "default" (4), "max" (7). From 3 on, and in the mlp profile
        always, each takes two to three times as long as the one before. In the grid profile, 0 fits
        nothing and takes about a second for 768x512 pixels; 1 and 2 fit only the network's
        coefficients; from 3 on (from 5 on for images of more than three megapixels) the latents are
        fitted, too.
    seed: 0 .. 2**32 - 1; key of the basis and of all random numbers. The same input, settings, seed
        and number of threads give the same bytes on the same processor.
    progress: callback that is called 20 to 150 times during a fit, so never at effort 0 of the grid
        profile. An image above two megapixels is fitted tile by tile; then estimates and preview
        are those of one tile. The callback may raise `EncodingCancelled` to stop.
    metadata: replaces the image's own ICC profile, EXIF and XMP (`Metadata()` drops them).
    rule: for research; how the network of the mlp profile follows from the rate.

    Raises InvalidArgument for wrong arguments, and TargetUnreachable if bpp or psnr cannot be met.
    """
    encoder = encoder_of(profile)
    if not 0 <= seed <= LARGEST_SEED:
        raise InvalidArgument(f"seed {seed} is not in 0 .. {LARGEST_SEED}")
    target = make_target(quality, lmbda, bpp, psnr)
    level = level_of_effort(effort)
    picture = load_picture(image)
    _check_size(picture)
    if metadata is not None:
        picture = replace(picture, metadata=metadata)
    check_metadata(picture.metadata, DEFAULT_LIMITS)
    request = EncodeRequest(
        picture=picture, effort=level, seed=seed, device=device_of(device),
        progress=progress, rule=rule,
    )  # fmt: skip
    with float32_everywhere(), torch.inference_mode(False), torch.enable_grad():
        return encoder.encode(request, target)


def _check_size(picture: Picture) -> None:
    height, width, _ = picture.colours.shape
    if height * width > DEFAULT_LIMITS.max_pixels:
        raise InvalidArgument(
            f"an image of {width}x{height} has more than the {DEFAULT_LIMITS.max_pixels} pixels "
            "that decoders accept: reduce it, or cut it into parts"
        )
