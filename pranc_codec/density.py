"""The distribution of a symbol: a mixture of a logistic and a Laplace distribution.

    P(X <= x) = (1 - shape) * logistic(x - location; scale) + shape * laplace(x - location; 2 scale)

`location` is in symbols, `shape` in [0, 1]: from light to heavy tails. The networks say location
over scale, log2 of the scale, and the logit of the shape. Here in floating point; coding uses
tables of integers made from the same formula (`tables`).
"""

import math
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

LOG2_SMALLEST: Final = -4.0
LOG2_LARGEST: Final = 10.0
LARGEST_LOCATION: Final = 4.0
"""Of location over scale."""
FLOOR: Final = 2.0**-22


def parameters_of(
    outputs: Float[Tensor, "3 ..."],
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Location, scale, shape from a network's outputs."""
    scale = torch.exp2(outputs[1].clamp(LOG2_SMALLEST, LOG2_LARGEST))
    location = outputs[0].clamp(-LARGEST_LOCATION, LARGEST_LOCATION) * scale
    return location, scale, torch.sigmoid(outputs[2])


def bits(symbols: Float[Tensor, "..."], outputs: Float[Tensor, "3 ..."]) -> Float[Tensor, "..."]:
    """Ideal code length of each symbol; differentiable in symbols and outputs."""
    location, scale, shape = parameters_of(outputs)
    near, far = _edges(symbols - location, scale)
    logistic = torch.sigmoid(near) - torch.sigmoid(far)
    laplace = _laplace(near / 2) - _laplace(far / 2)
    return -torch.log2(torch.lerp(logistic, laplace, shape) + FLOOR)


def bits_and_slopes(
    symbols: Float[Tensor, "..."], outputs: Float[Tensor, "3 ..."]
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """`bits`, and their derivatives with respect to the symbols, without autograd: in less
    than half the time."""
    location, scale, shape = parameters_of(outputs)
    distance = symbols - location
    near, far = _edges(distance, scale)
    a, b = torch.sigmoid(near), torch.sigmoid(far)
    c, d = _laplace(near / 2), _laplace(far / 2)
    mass = torch.lerp(a - b, c - d, shape) + FLOOR
    logistic = a * (1 - a) - b * (1 - b)
    laplace = (torch.minimum(c, 1 - c) - torch.minimum(d, 1 - d)) / 2
    slope = torch.lerp(logistic, laplace, shape) / (scale * mass * math.log(2))
    return -torch.log2(mass), slope * distance.sign()


def _edges(distance: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Of a symbol's interval, in scales: by symmetry both are taken in the lower tail, where
    differences keep their precision."""
    return (0.5 - distance.abs()) / scale, (-0.5 - distance.abs()) / scale


def _laplace(x: Tensor) -> Tensor:
    """CDF of the Laplace distribution of scale 1."""
    tail = torch.exp(-x.abs()) / 2
    return torch.where(x < 0, tail, 1 - tail)
