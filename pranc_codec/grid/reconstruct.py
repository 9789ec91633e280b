"""Reconstruct pixels from symbols: the inverse wavelet, and the enhancement network's correction.

The network runs on strips of rows, so its memory is bounded.
"""

from collections.abc import Iterator
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.grid import wavelet
from pranc_codec.grid.blocks import depth_to_space
from pranc_codec.grid.enhancement import EnhancementNetwork, cell_coords, maps_of
from pranc_codec.grid.wavelet import Pyramid

CELLS_AT_ONCE: Final = 1 << 16
Box = tuple[int, int, int, int]
"""A rectangle of cells: (top, left, bottom, right)."""


def reconstruct(
    pyramid: Pyramid,
    network: EnhancementNetwork,
    size: tuple[int, int],
    q_step: float,
    *,
    rows_shown: tuple[int, int] | None = None,
) -> Float[Tensor, "3 h w"]:
    """Return the opponent colours around mid-grey of an image, or of a range of its rows.

    size: (height, width). rows_shown: first row, and the row after the last; None for all rows. An
    image without its finest levels is a picture of half its size at half the quantization step, of
    a quarter of its size at a quarter of the step, and so on.
    """
    linear = linear_of(pyramid, size, q_step)
    top, bottom = rows_shown or (0, size[0])
    if not pyramid.bands:
        return linear[0, :, top:bottom]
    across = pyramid.bands[-1].shape[4]
    out = linear.new_empty(3, bottom - top // 2 * 2, size[1])
    for first, last in strips_of(size[1], top, bottom):
        part = enhanced_part(pyramid, linear, network, q_step, (first, 0, last, across))
        start = 2 * first - top // 2 * 2
        out[:, start : start + part.shape[1]] = part[:, : out.shape[1] - start]
    return out[:, top % 2 :]


def linear_of(pyramid: Pyramid, size: tuple[int, int], q_step: float) -> Float[Tensor, "1 3 h w"]:
    """Return the inverse wavelet of symbols, computed colour by colour to save memory."""
    out = torch.empty(1, 3, *size, device=pyramid.approximation.device)
    for colour in range(3):
        own = pyramid.map(lambda t, c=colour: t[:, c : c + 1] * q_step)  # type: ignore[misc]
        out[:, colour] = wavelet.synthesize(own, *size)[:, 0]
    return out


def strips_of(width: int, top: int, bottom: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows of cells, (first, last + 1), that cover pixel rows top .. bottom - 1."""
    height = max(2, CELLS_AT_ONCE // -(-width // 2))
    first, last = top // 2, -(-bottom // 2)
    for start in range(first, last, height):
        yield start, min(start + height, last)


def enhanced_part(
    pyramid: Pyramid,
    linear: Float[Tensor, "1 3 height width"],
    network: EnhancementNetwork,
    q_step: float,
    box: Box,
) -> Float[Tensor, "3 h w"]:
    """Return the enhanced image in a box of cells.

    It is computed together with the surrounding cells that influence it. linear: inverse wavelet of
    the whole image. An image of odd size ends inside its last cells.
    """
    (height, width), cells = linear.shape[2:], pyramid.bands[-1].shape[3:]
    reach = network.architecture.enhancement_reach
    rows, inner_rows = _with_reach(box[0], box[2], cells[0], reach)
    columns, inner_columns = _with_reach(box[1], box[3], cells[1], reach)
    own = linear[:, :, _pixels_of(rows), _pixels_of(columns)]
    finest = pyramid.bands[-1][..., rows, columns].float()
    parents = None
    if len(pyramid.bands) > 1:
        parents = pyramid.bands[-2][..., _parents_of(rows), _parents_of(columns)].float()
    coords = cell_coords((height, width), linear)[:, rows, columns]
    maps = maps_of(own, finest, parents, own.new_tensor([q_step]), coords)
    correction = network(maps)[:, :, inner_rows, inner_columns].float()
    part = linear[0, :, 2 * box[0] : 2 * box[2], 2 * box[1] : 2 * box[3]]
    return part + depth_to_space(correction, (part.shape[1], part.shape[2]))[0] * q_step


def _with_reach(first: int, last: int, count: int, reach: int) -> tuple[slice, slice]:
    """Extend cells first .. last - 1 by `reach`; also return where they lie in the extension."""
    start, stop = max(0, first - reach) // 2 * 2, min(count, last + reach)
    return slice(start, stop), slice(first - start, last - start)


def _pixels_of(cells: slice) -> slice:
    return slice(2 * cells.start, 2 * cells.stop)


def _parents_of(cells: slice) -> slice:
    return slice(cells.start // 2, -(-cells.stop // 2))
