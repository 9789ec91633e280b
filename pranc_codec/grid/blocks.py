"""Operations that the enhancement network and both forms of the context model share.

A level's grid is divided into cells of 2x2 positions. Each cell holds four symbols of a band, one
for each phase. The networks see maps with one sample per cell. Symbols enter them as logarithms of
their magnitudes.
"""

from typing import Final

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

PHASES: Final = (0, 3, 1, 2)
"""The order in which the phases of a cell are coded. Phase 2 * dy + dx is the symbol dy rows below
and dx columns to the right of the cell's first symbol. The diagonal neighbour is coded second."""
DIFFERENCES: Final = ((1, 3), (1, 2), (2, 3), (2, 2))
"""The differences of the approximation that the networks see, each as (order, axis)."""


def log_magnitude(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return log2(1 + |x|) / 2, in which form magnitudes enter the networks."""
    return torch.log2(1 + x.abs()) / 2


def signed_and_magnitude(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h w"]:
    """Return log-magnitudes with the sign of `x`, followed by log-magnitudes without a sign."""
    magnitude = log_magnitude(x)
    return torch.cat([magnitude * x.sign(), magnitude], dim=1)


def approximation_gradients(
    approximation: Shaped[Tensor, "n c h w"],
) -> Shaped[Tensor, "n c4 h w"]:
    """Return the differences of each channel that `DIFFERENCES` lists, in that order."""
    return torch.cat([difference(approximation, *which) for which in DIFFERENCES], 1)


def difference(x: Shaped[Tensor, "n c h w"], order: int, axis: int) -> Shaped[Tensor, "n c h w"]:
    """Return the first or second difference along an axis; samples at the edges are repeated.

    A first difference is taken between the two neighbours, so it is twice the gradient.
    """
    last = x.shape[axis] - 1
    before = torch.cat([x.narrow(axis, 0, 1), x.narrow(axis, 0, last)], axis)
    after = torch.cat([x.narrow(axis, 1, last), x.narrow(axis, last, 1)], axis)
    return after - before if order == 1 else before + after - 2 * x


def space_to_depth(x: Shaped[Tensor, "n c h w"]) -> Shaped[Tensor, "n c4 h2 w2"]:
    """Rearrange 2x2 cells into channels 4 c + phase. Odd sizes are padded with 0.

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
    """Repeat each sample twice in both directions, and crop to a size (height, width)."""
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., : size[0], : size[1]]


def cells_of(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size of the grid of 2x2 cells that covers a grid of size (height, width)."""
    return -(-size[0] // 2), -(-size[1] // 2)
