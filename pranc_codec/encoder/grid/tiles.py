"""Fit the latents of a large image tile by tile, in the memory that a tile takes.

A tile is fitted with a margin around it, whose latents are then left to the neighbours. Its image
is what its part of the coefficients gives, which well inside is the image, up to the rounding of
the low band. Only latents are cut: the file is coded, and decoded, as a whole, so that there are no
seams.
"""

import itertools
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from torch import Tensor

from pranc_codec.encoder.grid.fit_latents import FitProblem, FitResult, FitSettings, fit
from pranc_codec.encoder.request import Progress, ProgressCallback
from pranc_codec.grid import wavelet
from pranc_codec.grid.wavelet import Pyramid

SIDE: Final = 768
"""Of the largest tiles, without margins."""
CELL: Final = 1 << wavelet.MOST_LEVELS
"""Pixels between the coarsest latents: tiles begin and end there."""
MARGIN: Final = CELL


class Span(NamedTuple):
    """Of a tile along one axis, from pixel to pixel, without its margins and with them."""

    tile: tuple[int, int]
    part: tuple[int, int]

    @property
    def inside(self) -> tuple[int, int]:
        """Where the tile is in the part with margins."""
        return self.tile[0] - self.part[0], self.tile[1] - self.part[0]


def fit_tiles(
    problem: FitProblem, settings: FitSettings, *, seed: int, progress: ProgressCallback | None,
    side: int = SIDE,
) -> FitResult:  # fmt: skip
    """As `fit`, in tiles of at most `side`, a multiple of `CELL` whose parts have all levels. The
    coefficients are the mean of all tiles'; progress shows a tile with its margins."""
    height, width = problem.size
    tiles = list(itertools.product(spans(height, side), spans(width, side)))
    fitted = [band.clone() for band in problem.y.bands]
    coefficients = []
    for number, (down, across) in enumerate(tiles):
        told = progress and _of_all(progress, number, len(tiles))
        found = fit(part_of(problem, down, across), settings, seed=seed, progress=told)
        coefficients.append(found.coefficients)
        pairs = zip(fitted[::-1], found.y.bands[::-1], strict=True)
        for level, (whole, part) in enumerate(pairs, 1):
            inside = _cut(part, level, down.inside, across.inside)
            _cut(whole, level, down.tile, across.tile).copy_(inside)
    mean = np.rint(np.mean(coefficients, axis=0)).astype(np.int32)
    return FitResult(y=Pyramid(low=problem.y.low, bands=tuple(fitted)), coefficients=mean)


def spans(length: int, side: int) -> list[Span]:
    """Tiles along an axis, as few and as even as they can be."""
    count = -(-length // side)
    cells = -(-length // CELL)
    edges = [min(length, CELL * (cells * i // count)) for i in range(count + 1)]
    return [
        Span((begin, end), (max(0, begin - MARGIN), min(length, end + MARGIN)))
        for begin, end in itertools.pairwise(edges)
    ]


def part_of(problem: FitProblem, down: Span, across: Span) -> FitProblem:
    """The problem of one tile with its margins."""
    box = down.part, across.part
    levels = len(problem.y.bands)
    bands = (_cut(band, levels - i, *box) for i, band in enumerate(problem.y.bands))
    y = Pyramid(low=_cut(problem.y.low, levels, *box), bands=tuple(bands))
    height, width = (end - begin for begin, end in box)
    opponent = wavelet.synthesize(y.map(lambda t: t * problem.step), height, width)
    return replace(problem, opponent=opponent, y=y)


def _cut(latents: Tensor, level: int, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """What lies on these pixels, which begin at cells. level: of the latents; 1 is the finest."""
    (top, bottom), (left, right) = ((a >> level, -(-b >> level)) for a, b in (rows, columns))
    return latents[..., top:bottom, left:right]


def _of_all(progress: ProgressCallback, number: int, count: int) -> ProgressCallback:
    """Of all tiles, told by the fit of one."""

    def told(one: Progress) -> None:
        progress(replace(one, step=number * one.steps + one.step, steps=count * one.steps))

    return told
