"""Maps on the grid of 2x2 cells, and integers as logarithms of their magnitudes."""

from typing import Final

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

DIFFERENCES: Final = ((1, 3), (1, 2), (2, 3), (2, 2))
"""Of the low band: order and axis."""


def log_magnitude(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """log2(1 + |x|) / 2, the unit in which magnitudes enter the networks."""
    return torch.log2(1 + x.abs()) / 2


def signed_and_not(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h w"]:
    """Log-magnitudes with the sign of `x`, then without."""
    magnitude = log_magnitude(x)
    return torch.cat([magnitude * x.sign(), magnitude], dim=1)


def slopes(low: Shaped[Tensor, "n c h w"]) -> Shaped[Tensor, "n c4 h w"]:
    """First and second differences of each channel, across and down (`DIFFERENCES`)."""
    return torch.cat([difference(low, *which) for which in DIFFERENCES], 1)


def difference(low: Shaped[Tensor, "n c h w"], order: int, axis: int) -> Shaped[Tensor, "n c h w"]:
    """First or second difference along an axis; edges are repeated. First ones are between the two
    neighbours (twice the slope)."""
    last = low.shape[axis] - 1
    before = torch.cat([low.narrow(axis, 0, 1), low.narrow(axis, 0, last)], axis)
    after = torch.cat([low.narrow(axis, 1, last), low.narrow(axis, last, 1)], axis)
    return after - before if order == 1 else before + after - 2 * low


def fold(x: Shaped[Tensor, "n c h w"]) -> Shaped[Tensor, "n c4 h2 w2"]:
    """Maps on the grid of 2x2 cells: channel c becomes 4 c + phase. Odd sizes are filled with 0."""
    x = functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
    return functional.pixel_unshuffle(x, 2)


def unfold(x: Shaped[Tensor, "n c4 h2 w2"], size: tuple[int, int]) -> Shaped[Tensor, "n c h w"]:
    """Inverse of `fold`."""
    return functional.pixel_shuffle(x, 2)[..., : size[0], : size[1]]


def doubled(x: Shaped[Tensor, "n c _ _"], size: tuple[int, int]) -> Shaped[Tensor, "n c h w"]:
    """Each sample twice in both directions, cut to a size."""
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., : size[0], : size[1]]


def cells_of(size: tuple[int, int]) -> tuple[int, int]:
    """Grid of 2x2 cells that covers a level's grid."""
    return -(-size[0] // 2), -(-size[1] // 2)
