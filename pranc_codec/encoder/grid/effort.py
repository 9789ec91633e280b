"""The settings of each effort in the grid profile: network evaluations, iterations, rates."""

from typing import Final

from pranc_codec.encoder.grid.fit_latents import LatentFitSettings

FIRST_FITTING_EFFORT: Final = 3
"""From this effort on, latents are fitted; below it, only coefficients are."""
FIRST_FITTING_EFFORT_IF_LARGE: Final = 5
"""The same for images above `LARGE_PIXELS`. A fit takes up to a minute per megapixel, which is too
long for the default effort."""
LARGE_PIXELS: Final = 3 << 20
EVALUATIONS: Final = (4, 8, 20, 60, 192)
"""Number of network evaluations of a latent fit, for efforts 3 to 7."""
LEARNING_RATE: Final = 0.02
"""Learning rate of latents, in quantization steps, in a fit with `EVALUATIONS_OF_RATE`
evaluations."""
EVALUATIONS_OF_RATE: Final = 8
BIASES_ITERATIONS: Final = 80
"""Iterations of the coefficients-only fit at effort 1, twice as many at effort 2; it is also run
after a latent fit."""


def evaluations_of(effort: int, pixels: int) -> int:
    """Return the number of network evaluations of a latent fit; 0 if latents are not fitted."""
    large = pixels > LARGE_PIXELS
    if effort < (FIRST_FITTING_EFFORT_IF_LARGE if large else FIRST_FITTING_EFFORT):
        return 0
    return EVALUATIONS[effort - FIRST_FITTING_EFFORT]


def biases_iterations(effort: int, pixels: int) -> int:
    """Return the number of iterations of the coefficients-only fit.

    It is short after a latent fit.
    """
    if effort == 0:
        return 0
    return BIASES_ITERATIONS << (0 if evaluations_of(effort, pixels) else effort - 1)


def fit_settings(evaluations: int) -> LatentFitSettings:
    """Return the settings of a latent fit. Longer fits have higher learning rates.

    With 64 evaluations, photographs gained most from a rate of 0.035, out of 0.01, 0.02, 0.035 and
    0.06 (`benchmarks/ablation_fit.py`).
    """
    growth = (evaluations / EVALUATIONS_OF_RATE) ** 0.25
    return LatentFitSettings(evaluations=evaluations, learning_rate=LEARNING_RATE * growth)
