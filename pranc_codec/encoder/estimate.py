"""How long an encoding takes, roughly."""

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
    """Seconds that `encode` takes on two cores, within a factor of two or so.

    quality or bpp: decides how large a network the mlp profile fits. A target PSNR, or a bpp in the
    grid profile, may take twice as long, because it may take two fits.
    """
    target: Target = QualityTarget(quality=quality or DEFAULT_QUALITY)
    if bpp is not None:
        target = BppTarget(bpp=bpp)
    return encoder_of(profile).estimate_seconds(pixels, level_of_effort(effort), target)
