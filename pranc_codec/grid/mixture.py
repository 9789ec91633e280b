"""The distribution of a symbol: a mixture of a logistic and a Laplace distribution.

    P(X <= x) = (1 - shape) * logistic(x - loc; scale) + shape * laplace(x - loc; 2 scale)

`loc` and `scale` are in units of symbols; `shape` is in [0, 1], from light to heavy tails. The
networks output loc / scale, log2 of the scale, and the logit of the shape. This module evaluates
the formula in floating point; files are coded with integer tables of the same formula
(`entropy.tables`).
"""

import math
from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

LOG2_SMALLEST: Final = -4.0
LOG2_LARGEST: Final = 10.0
LARGEST_LOC: Final = 4.0
"""Largest magnitude of loc / scale."""
FLOOR: Final = 2.0**-22


class Mixture(NamedTuple):
    """One distribution for each symbol."""

    loc: Float[Tensor, "..."]
    sharpness: Float[Tensor, "..."]
    """1 / scale"""
    shape: Float[Tensor, "..."]


def mixture_of(outputs: Float[Tensor, "3 ..."]) -> Mixture:
    """Return the distributions that a network's outputs describe."""
    scale = torch.exp2(outputs[1].clamp(LOG2_SMALLEST, LOG2_LARGEST))
    loc = outputs[0].clamp(-LARGEST_LOC, LARGEST_LOC) * scale
    return Mixture(loc=loc, sharpness=1 / scale, shape=torch.sigmoid(outputs[2]))


def bits(symbols: Float[Tensor, "..."], outputs: Float[Tensor, "3 ..."]) -> Float[Tensor, "..."]:
    """Return the ideal code length in bits of each symbol.

    It is differentiable with respect to symbols and outputs.
    """
    loc, sharpness, shape = mixture_of(outputs)
    distance = (symbols - loc).abs()
    # By symmetry, both edges are taken in the lower tail, where differences are precise.
    near, far = (0.5 - distance) * sharpness, (-0.5 - distance) * sharpness
    logistic = torch.sigmoid(near) - torch.sigmoid(far)
    laplace = _laplace(near / 2) - _laplace(far / 2)
    return -torch.log2(torch.lerp(logistic, laplace, shape) + FLOOR)


def _laplace(x: Tensor) -> Tensor:
    """Return the CDF of the Laplace distribution of scale 1."""
    tail = torch.exp(-x.abs()) / 2
    return torch.where(x < 0, tail, 1 - tail)


def bits_and_derivatives(
    symbols: Float[Tensor, "..."], mixture: Mixture
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return code lengths in bits, as `bits` does, and their derivatives by the symbols.

    Autograd is not used. One exponential per edge serves both distributions: with
    e = exp(-|x| / 2), the tails beyond x are p = e^2 / (1 + e^2) (logistic) and e / 2 (Laplace),
    and the densities are p (1 - p) and e / 4.
    """
    loc, sharpness, shape = mixture
    signed = symbols - loc
    near = signed.abs().neg_().add_(0.5).mul_(sharpness)
    far = near - sharpness
    inside = near > 0
    e, f = near.abs_().mul_(-0.5).exp_(), far.mul_(0.5).exp_()
    e2, f2 = e.square(), f.square()
    p, q = e2.div_(e2 + 1), f2.div_(f2 + 1)
    tail, beyond = torch.lerp(p, e / 2, shape), torch.lerp(q, f / 2, shape)
    mass = torch.where(inside, 1 - tail, tail).sub_(beyond).add_(FLOOR)
    density = torch.lerp(p - p * p - q + q * q, e.sub_(f).div_(4), shape)
    derivatives = density.mul_(sharpness).div_(mass).div_(math.log(2)).copysign_(signed)
    return mass.log2_().neg_(), derivatives
