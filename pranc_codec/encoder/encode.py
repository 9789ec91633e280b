"""`encode`: an image, a target and an effort in, the bytes of a file out."""

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
    quality (1-100, default 50), lmbda (MSE in [0, 1] per bpp), bpp (of the whole file, met within
        2 %) or psnr (dB on 8-bit samples, at most 0.1 dB under): one of them.
    profile: "grid" (wavelet latents and a small network, for the best rate-distortion) or "mlp"
        (one coordinate network and nothing else: the method itself, for very low rates).
    effort: 0-7, each two to three times the work, or "fast" (2), "default" (4), "max" (7).
        In the grid profile, 0 does not fit at all and takes about a second for 768x512; 1 and 2
        fit the network's coefficients only; from 3 on (from 5 on for images of more than three
        megapixels) the latents are fitted too.
    seed: 0 .. 2**32 - 1, of the basis and of all random numbers. The same input, settings, seed
        and number of threads give the same bytes on the same processor.
    progress: is called 20 to 150 times during a fit, so never at effort 0 of the grid profile.
        Above two megapixels each tile is fitted for itself; then estimates and preview are of one
        tile. Raise `EncodingCancelled` in it to stop.
    metadata: replaces the image's own ICC profile, EXIF and XMP (`Metadata()` drops them).
    rule: for research: how the network of the mlp profile follows from the rate.

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
            f"{width}x{height} is more than the {DEFAULT_LIMITS.max_pixels} pixels that "
            "decoders accept: reduce it, or cut it into parts"
        )
