"""Operations that both forms of the context model and the enhancement network share.

Maps lie on the grid of 2x2 cells: each cell of a level's grid holds four symbols of a band, one for
each phase. Integers enter the networks as logarithms of their magnitudes.
"""

from typing import Final

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

PHASES: Final = (0, 3, 1, 2)
"""The order in which the phases of a cell are coded. Phase 2 * dy + dx is the symbol dy rows below
and dx columns to the right of the cell's first. The diagonal neighbour comes second."""
DIFFERENCES: Final = ((1, 3), (1, 2), (2, 3), (2, 2))
"""The gradients of the approximation that the networks see: (order, axis) of each difference."""


def log_magnitude(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """log2(1 + |x|) / 2, the unit in which magnitudes enter the networks."""
    return torch.log2(1 + x.abs()) / 2


def signed_and_magnitude(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h w"]:
    """Log-magnitudes with the sign of `x`, followed by log-magnitudes without a sign."""
    magnitude = log_magnitude(x)
    return torch.cat([magnitude * x.sign(), magnitude], dim=1)


def approximation_gradients(
    approximation: Shaped[Tensor, "n c h w"],
) -> Shaped[Tensor, "n c4 h w"]:
    """First and second differences of each channel, across and down, as `DIFFERENCES` lists."""
    return torch.cat([difference(approximation, *which) for which in DIFFERENCES], 1)


def difference(x: Shaped[Tensor, "n c h w"], order: int, axis: int) -> Shaped[Tensor, "n c h w"]:
    """First or second difference along an axis; samples at the edges are repeated.

    A first difference is taken between the two neighbours, so it is twice the gradient.
    """
    last = x.shape[axis] - 1
    before = torch.cat([x.narrow(axis, 0, 1), x.narrow(axis, 0, last)], axis)
    after = torch.cat([x.narrow(axis, 1, last), x.narrow(axis, last, 1)], axis)
    return after - before if order == 1 else before + after - 2 * x


def space_to_depth(x: Shaped[Tensor, "n c h w"]) -> Shaped[Tensor, "n c4 h2 w2"]:
    """Maps on the grid of 2x2 cells: channel c becomes 4 c + phase. Odd sizes are padded with 0.

    `depth_to_space` is the inverse.
    """
    x = functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
    return functional.pixel_unshuffle(x, 2)


def depth_to_space(
    x: Shaped[Tensor, "n c4 h2 w2"], size: tuple[int, int]
) -> Shaped[Tensor, "n c h w"]:
    """Inverse of `space_to_depth`, cropped to a size (height, width)."""
    return functional.pixel_shuffle(x, 2)[..., : size[0], : size[1]]


def upsample_nearest(
    x: Shaped[Tensor, "n c _ _"], size: tuple[int, int]
) -> Shaped[Tensor, "n c h w"]:
    """Each sample repeated twice in both directions, cropped to a size (height, width)."""
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., : size[0], : size[1]]


def cells_of(size: tuple[int, int]) -> tuple[int, int]:
    """The grid of 2x2 cells that covers a level's grid of this size (height, width)."""
    return -(-size[0] // 2), -(-size[1] // 2)
