"""Estimate how long an encoding takes."""

from pranc_codec.encoder.profiles import encoder_of
from pranc_codec.encoder.target import (
    DEFAULT_QUALITY,
    BppTarget,
    QualityTarget,
    Target,
    level_of_effort,
)


def estimate_seconds(
    pixels: int,
    *,
    profile: str = "grid",
    effort: int | str = "default",
    quality: float | None = None,
    bpp: float | None = None,
) -> float:
    """Estimate the seconds that `encode` takes on two cores, within a factor of about two.

    quality, bpp: they decide how large a network the mlp profile fits. A target PSNR, or a target
    bpp in the grid profile, may take twice as long, because it may need two fits.
    """
    target: Target = QualityTarget(quality=quality or DEFAULT_QUALITY)
    if bpp is not None:
        target = BppTarget(bpp=bpp)
    return encoder_of(profile).estimate_seconds(pixels, level_of_effort(effort), target)
