"""How long an encoding takes, roughly: measured with the README's commands on two cores."""

from typing import Final

from pranc_codec.encoder.grid.candidates import MOST_PIXELS_AT_ONCE, looks_of, offsets_iterations
from pranc_codec.encoder.mlp.encode import steps_of
from pranc_codec.encoder.mlp.plan import Rule, bpp_of_quality, plan_for
from pranc_codec.encoder.target import DEFAULT_QUALITY, check_profile, level_of_effort

MEGAPIXEL: Final = 1e6
GRID_S: Final = 3.5
"""Transform and coding of a megapixel."""
LOOK_S: Final = 3.5
"""One look at the networks of a fit of latents, and its iterations, of a megapixel."""
MARGINS: Final = 1.7
"""Pixels of tiles with their margins over those of the image."""
OFFSETS_ITERATION_S: Final = 0.02
"""One step of a fit of coefficients alone, on a window."""
MLP_STEP_S: Final = (3e-3, 0.27e-6)
"""One step of a fit: of any network, and of each weight."""


def estimate_seconds(
    pixels: int,
    *,
    profile: str = "grid",
    effort: int | str = "default",
    quality: float | None = None,
    bpp: float | None = None,
) -> float:
    """Seconds that `encode` takes on two cores, within a factor of two or so.

    quality or bpp: decides how large a network the mlp profile fits. A target PSNR, or a bpp in
    the grid profile, may take twice as long, because it may take two fits.
    """
    check_profile(profile)
    level = level_of_effort(effort)
    if profile == "mlp":
        rate = bpp_of_quality(quality or DEFAULT_QUALITY) if bpp is None else bpp
        weights = plan_for(rate, pixels, 3, Rule()).shape.weights
        return steps_of(level) * (MLP_STEP_S[0] + MLP_STEP_S[1] * weights)
    latents_s = LOOK_S * looks_of(level, pixels)
    if pixels > MOST_PIXELS_AT_ONCE:
        latents_s *= MARGINS
    offsets_s = OFFSETS_ITERATION_S * offsets_iterations(level, pixels)
    return pixels / MEGAPIXEL * (GRID_S + latents_s) + offsets_s
