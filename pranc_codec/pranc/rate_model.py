"""Differentiable quantization during training, and the rate of its symbols.

Coefficients are symbols * q_step. Training first adds uniform noise of one step's width to the
coefficients. On average, this has the rate and the distortion of rounding (Ballé et al.,
"End-to-end optimized image compression", ICLR 2017). Near the end, training rounds, with
straight-through gradients. Soft rounding in between (Agustsson & Theis, "Universally quantized
neural compression", NeurIPS 2020) made files worse, because it hides the cost of a coarse step.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

SMALLEST_SCALE: Final = 0.05
SQRT_HALF: Final = 0.5**0.5


def round_straight_through(x: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Round to the nearest integers; the gradient is that of the identity."""
    return x + (x.round() - x).detach()


def rate_bits(symbols: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Return the total bits of real-valued `symbols` under a normal distribution around zero.

    Its standard deviation is the root mean square of the symbols, plus `SMALLEST_SCALE`. A symbol s
    has the probability of [s - 1/2, s + 1/2]. The result is differentiable with respect to the
    symbols; the standard deviation counts as constant.
    """
    scale = symbols.detach().square().mean().sqrt() + SMALLEST_SCALE
    magnitude = symbols.abs()
    near, far = (magnitude - 0.5) / scale, (magnitude + 0.5) / scale
    # erfc is precise in the tails, where its arguments are positive; around zero, where `near` is
    # negative, the difference covers both sides of the distribution.
    probability = (torch.erfc(near * SQRT_HALF) - torch.erfc(far * SQRT_HALF)) / 2
    return -torch.log2(probability.clamp_min(1e-9)).sum()
