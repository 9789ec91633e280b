"""Soft rounding, which is differentiable, and its derivatives.

Two soft roundings with uniform noise between them (Agustsson & Theis, "Universally quantized neural
compression", NeurIPS 2020, section 4; C3, Kim et al., CVPR 2024, section 3.3) are applied to the
latents. Derivatives are computed in closed form, because autograd would keep a dozen tensors of the
image's size.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Softness(NamedTuple):
    """How soft the rounding is.

    temperature: 0 gives rounding, large values give the identity. noise: largest magnitude of the
    uniform noise between the two roundings.
    """

    temperature: float
    noise: float


@torch.no_grad()
def softly_rounded(
    latents: list[Tensor], masks: list[Tensor], softness: Softness,
    generator: torch.Generator | None,
) -> tuple[list[Tensor], list[Tensor]]:  # fmt: skip
    """Round latents softly twice; return the values and the derivatives of both roundings together.

    masks: 1 where latents are coded. generator: generator of the noise between the roundings; None
    for no noise.
    """
    values, derivatives = [], []
    for y, mask in zip(latents, masks, strict=True):
        once, derivative = soft_round(y, softness.temperature)
        if generator is not None:
            uniform = torch.rand(y.shape, generator=generator, device=y.device)
            once.add_(uniform.sub_(0.5), alpha=2 * softness.noise)
        twice, second_derivative = soft_round(once, softness.temperature)
        values.append(twice.mul_(mask))
        derivatives.append(derivative.mul_(second_derivative).mul_(mask))
    return values, derivatives


def soft_round(
    x: Float[Tensor, "..."], temperature: float
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return a value between the identity and rounding, and its derivative.

    temperature: 1 / alpha of Agustsson & Theis.
    """
    sharpness = 1 / temperature
    gain = 1 / (2 * math.tanh(sharpness / 2))
    middle = x.floor().add_(0.5)
    bent = (x - middle).mul_(sharpness).tanh_()
    steepest = torch.full_like(x[..., :1], gain * sharpness)
    return (
        torch.add(middle, bent, alpha=gain),
        torch.addcmul(steepest, bent, bent, value=-gain * sharpness),
    )
