"""Quantization and its rate while training: both pass gradients.

Coefficients are symbols * step. Training first adds uniform noise of one step's width to the
symbols, which has on average the rate and the distortion of rounding (Ballé et al., "End-to-end
optimized image compression", ICLR 2017). In the end it rounds, with the gradient passed straight
through. Soft rounding in between (Agustsson & Theis, "Universally quantized neural compression",
NeurIPS 2020) made files worse: it hides what a coarse step costs.
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
    """Bits of real-valued `symbols` under a normal distribution around zero.

    Its scale is the root mean square of the symbols, plus `SMALLEST_SCALE`. A symbol s has the
    probability of [s - 1/2, s + 1/2]. Differentiable in the symbols; the scale counts as constant.
    """
    scale = symbols.detach().square().mean().sqrt() + SMALLEST_SCALE
    magnitude = symbols.abs()
    near, far = (magnitude - 0.5) / scale, (magnitude + 0.5) / scale
    # erfc is precise in the tails, where its arguments are positive; around zero, where `near` is
    # negative, the difference covers both sides of the distribution.
    probability = (torch.erfc(near * SQRT_HALF) - torch.erfc(far * SQRT_HALF)) / 2
    return -torch.log2(probability.clamp_min(1e-9)).sum()
