"""Rounding that gradients can go through, and the gradients themselves.

Two soft roundings with uniform noise between them (Agustsson & Theis, "Universally quantized neural
compression", NeurIPS 2020, section 4; C3, Kim et al., CVPR 2024, section 3.3). Derivatives are in
closed form: autograd would keep a dozen tensors of the image's size for them.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Softness(NamedTuple):
    """temperature: between rounding (0) and the identity (large); noise: largest magnitude."""

    temperature: float
    noise: float


@torch.no_grad()
def softly_rounded(
    latents: list[Tensor], masks: list[Tensor], softness: Softness,
    generator: torch.Generator | None,
) -> tuple[list[Tensor], list[Tensor]]:  # fmt: skip
    """Latents rounded twice, with noise between if there is a generator, and the derivatives of
    both together. masks: 1 where latents are coded."""
    values, slopes = [], []
    for y, mask in zip(latents, masks, strict=True):
        once, slope = soft_round(y, softness.temperature)
        if generator is not None:
            uniform = torch.rand(y.shape, generator=generator, device=y.device)
            once.add_(uniform.sub_(0.5), alpha=2 * softness.noise)
        twice, second_slope = soft_round(once, softness.temperature)
        values.append(twice.mul_(mask))
        slopes.append(slope.mul_(second_slope).mul_(mask))
    return values, slopes


def soft_round(
    x: Float[Tensor, "..."], temperature: float
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Between the identity and rounding, and its derivative; temperature is the first paper's
    1 / alpha."""
    sharpness = 1 / temperature
    gain = 1 / (2 * math.tanh(sharpness / 2))
    middle = x.floor().add_(0.5)
    bent = (x - middle).mul_(sharpness).tanh_()
    steepest = torch.full_like(x[..., :1], gain * sharpness)
    return (
        torch.add(middle, bent, alpha=gain),
        torch.addcmul(steepest, bent, bent, value=-gain * sharpness),
    )
