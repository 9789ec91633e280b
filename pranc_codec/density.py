"""The distribution of a symbol: a mixture of a logistic and a Laplace distribution.

    P(X <= x) = (1 - shape) * logistic(x - location; scale) + shape * laplace(x - location; 2 scale)

`location` is in symbols, `shape` in [0, 1]: from light to heavy tails. The networks say location
over scale, log2 of the scale, and the logit of the shape. Here in floating point; coding uses
tables of integers made from the same formula (`tables`).
"""

import math
from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

LOG2_SMALLEST: Final = -4.0
LOG2_LARGEST: Final = 10.0
LARGEST_LOCATION: Final = 4.0
"""Of location over scale."""
FLOOR: Final = 2.0**-22


class Mixture(NamedTuple):
    """Distributions of symbols, one each."""

    location: Float[Tensor, "..."]
    scale: Float[Tensor, "..."]
    shape: Float[Tensor, "..."]


def mixture_of(outputs: Float[Tensor, "3 ..."]) -> Mixture:
    """What a network's outputs mean."""
    scale = torch.exp2(outputs[1].clamp(LOG2_SMALLEST, LOG2_LARGEST))
    location = outputs[0].clamp(-LARGEST_LOCATION, LARGEST_LOCATION) * scale
    return Mixture(location=location, scale=scale, shape=torch.sigmoid(outputs[2]))


def bits(symbols: Float[Tensor, "..."], outputs: Float[Tensor, "3 ..."]) -> Float[Tensor, "..."]:
    """Ideal code length of each symbol; differentiable in symbols and outputs."""
    location, scale, shape = mixture_of(outputs)
    near, far = _edges(symbols - location, scale)
    logistic = torch.sigmoid(near) - torch.sigmoid(far)
    laplace = _laplace(near / 2) - _laplace(far / 2)
    return -torch.log2(torch.lerp(logistic, laplace, shape) + FLOOR)


def bits_and_slopes(
    symbols: Float[Tensor, "..."], mixture: Mixture
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """`bits`, and their derivatives with respect to the symbols, without autograd and with one
    exponential for both distributions at each edge: in a third of the time."""
    location, scale, shape = mixture
    distance = symbols - location
    near, far = _edges(distance, scale)
    logistic_near, laplace_near = _tails(near.abs())
    logistic_far, laplace_far = _tails(far.neg())
    logistic, laplace = (
        torch.where(near < 0, tail, 1 - tail) for tail in (logistic_near, laplace_near)
    )
    mass = torch.lerp(logistic - logistic_far, laplace - laplace_far, shape) + FLOOR
    logistic = logistic_near * (1 - logistic_near) - logistic_far * (1 - logistic_far)
    slope = torch.lerp(logistic, (laplace_near - laplace_far) / 2, shape)
    return -torch.log2(mass), slope / (scale * mass * math.log(2)) * distance.sign()


def _edges(distance: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Of a symbol's interval, in scales: by symmetry both are taken in the lower tail, where
    differences keep their precision."""
    return (0.5 - distance.abs()) / scale, (-0.5 - distance.abs()) / scale


def _laplace(x: Tensor) -> Tensor:
    """CDF of the Laplace distribution of scale 1."""
    tail = torch.exp(-x.abs()) / 2
    return torch.where(x < 0, tail, 1 - tail)


def _tails(x: Tensor) -> tuple[Tensor, Tensor]:
    """P(X < -x) for x >= 0 of the logistic distribution of scale 1 and of Laplace's of scale 2."""
    root = torch.exp(x / -2)
    square = root.square()
    return square / (1 + square), root / 2
