"""Quantization while training: integers that gradients can pass, and a price for them.

Coefficients are symbols * step. Training sees them first with uniform noise of one step's width,
which has the rate and the distortion of rounding on average (Balle et al., ICLR 2017), at last
rounded for real with the gradient passed straight through. Soft rounding in between (Agustsson &
Theis, NeurIPS 2020) was tried and made files worse: it hides the price of a coarse step.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

SMALLEST_SCALE: Final = 0.05
SQRT_HALF: Final = 0.5**0.5


def round_straight_through(x: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Nearest integers, with the gradient of the identity."""
    return x + (x.round() - x).detach()


def rate_bits(symbols: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Bits of real-valued `symbols` under a normal distribution with their own root mean square.

    The probability of [s - 1/2, s + 1/2]; differentiable in the symbols, not in the scale.
    """
    scale = symbols.detach().square().mean().sqrt() + SMALLEST_SCALE
    magnitude = symbols.abs()
    near, far = (magnitude - 0.5) / scale, (magnitude + 0.5) / scale
    # erfc of positive arguments keeps the tails' precision; near 0 both sides are added up.
    probability = (torch.erfc(near * SQRT_HALF) - torch.erfc(far * SQRT_HALF)) / 2
    return -torch.log2(probability.clamp_min(1e-9)).sum()
