"""The work that an effort of the grid profile is: network evaluations, iterations, rates."""

from typing import Final

from pranc_codec.encoder.grid.fit_latents import LatentFitSettings

FIRST_FITTING_EFFORT: Final = 3
"""From this effort on latents are fitted; below it only coefficients are."""
FIRST_FITTING_EFFORT_IF_LARGE: Final = 5
"""The same for images above `LARGE_PIXELS`: a fit takes up to a minute a megapixel, which is too
much to ask of the default effort."""
LARGE_PIXELS: Final = 3 << 20
EVALUATIONS: Final = (4, 8, 20, 60, 192)
"""Network evaluations of a latent fit, for efforts 3 to 7."""
LEARNING_RATE: Final = 0.02
"""Of the latents, in quantization steps, for a fit with `EVALUATIONS_OF_RATE` evaluations."""
EVALUATIONS_OF_RATE: Final = 8
BIASES_ITERATIONS: Final = 80
"""Iterations of the coefficients-only fit at effort 1, twice as many at effort 2; it is also run
after a latent fit."""


def evaluations_of(effort: int, pixels: int) -> int:
    """Network evaluations of the latent fit; 0 where latents are not fitted."""
    large = pixels > LARGE_PIXELS
    if effort < (FIRST_FITTING_EFFORT_IF_LARGE if large else FIRST_FITTING_EFFORT):
        return 0
    return EVALUATIONS[effort - FIRST_FITTING_EFFORT]


def biases_iterations(effort: int, pixels: int) -> int:
    """Iterations of the coefficients-only fit. After a latent fit it is a short one."""
    if effort == 0:
        return 0
    return BIASES_ITERATIONS << (0 if evaluations_of(effort, pixels) else effort - 1)


def fit_settings(evaluations: int) -> LatentFitSettings:
    """Settings of a latent fit. Longer fits have higher learning rates.

    Of the rates 0.01, 0.02, 0.035 and 0.06, a fit with 64 evaluations gained most on photographs
    with 0.035 (`benchmarks/ablation_fit.py`).
    """
    growth = (evaluations / EVALUATIONS_OF_RATE) ** 0.25
    return LatentFitSettings(evaluations=evaluations, learning_rate=LEARNING_RATE * growth)
