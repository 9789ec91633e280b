"""Fit the latents of a large image tile by tile, to bound the memory.

A tile is fitted together with a margin around it, but the fitted latents of the margin are
discarded: they belong to the neighbouring tiles. The image that a tile is fitted to is synthesized
from its part of the wavelet coefficients. Well inside the tile this equals the original image, up
to the rounding of the approximation. Only the fit is done in tiles: the file is coded and decoded
as a whole, so there are no seams.
"""

import itertools
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from torch import Tensor

from pranc_codec.encoder.grid.fit_latents import (
    FittedLatents,
    LatentFitSettings,
    fit,
)
from pranc_codec.encoder.grid.latent_loss import LatentProblem
from pranc_codec.encoder.request import Progress, ProgressCallback
from pranc_codec.grid import wavelet
from pranc_codec.grid.wavelet import Pyramid

MOST_PIXELS_AT_ONCE: Final = 2 << 20
"""Latents of larger images are fitted in tiles: a fit takes two gigabytes per megapixel."""
SIDE: Final = 768
"""Largest side of a tile without its margins, in pixels."""
CELL: Final = 1 << wavelet.MOST_LEVELS
"""Distance between the coarsest latents in pixels. Tiles begin and end at multiples of it."""
MARGIN: Final = CELL


class Span(NamedTuple):
    """Ranges of pixels of a tile along one axis: `tile` without its margins, `part` with them."""

    tile: tuple[int, int]
    part: tuple[int, int]

    @property
    def inside(self) -> tuple[int, int]:
        """Where the tile lies within the part with margins."""
        return self.tile[0] - self.part[0], self.tile[1] - self.part[0]


def fit_tiles(
    problem: LatentProblem, settings: LatentFitSettings, *, seed: int,
    progress: ProgressCallback | None, side: int = SIDE,
) -> FittedLatents:  # fmt: skip
    """Fit latents as `fit_latents.fit` does, but in tiles.

    side: largest side of a tile, a multiple of `CELL`, so that its part has all levels. The
    resulting coefficients are the mean of those of all tiles. The preview of `progress` shows one
    tile with its margins.
    """
    height, width = problem.size
    tiles = list(itertools.product(spans(height, side), spans(width, side)))
    fitted = [band.clone() for band in problem.y.bands]
    coefficients = []
    for number, (down, across) in enumerate(tiles):
        counted = progress and _counting_all(progress, number, len(tiles))
        found = fit(part_of(problem, down, across), settings, seed=seed, progress=counted)
        coefficients.append(found.coefficients)
        pairs = zip(fitted[::-1], found.y.bands[::-1], strict=True)
        for level, (whole, part) in enumerate(pairs, 1):
            inside = _cut(part, level, down.inside, across.inside)
            _cut(whole, level, down.tile, across.tile).copy_(inside)
    mean = np.rint(np.mean(coefficients, axis=0)).astype(np.int32)
    return FittedLatents(y=problem.pyramid(fitted), coefficients=mean)


def spans(length: int, side: int) -> list[Span]:
    """Divide an axis into tiles, as few and as equal as possible."""
    count = -(-length // side)
    cells = -(-length // CELL)
    edges = [min(length, CELL * (cells * i // count)) for i in range(count + 1)]
    return [
        Span((begin, end), (max(0, begin - MARGIN), min(length, end + MARGIN)))
        for begin, end in itertools.pairwise(edges)
    ]


def part_of(problem: LatentProblem, down: Span, across: Span) -> LatentProblem:
    """Return the problem of one tile with its margins."""
    box = down.part, across.part
    levels = len(problem.y.bands)
    bands = (_cut(band, levels - i, *box) for i, band in enumerate(problem.y.bands))
    y = Pyramid(approximation=_cut(problem.y.approximation, levels, *box), bands=tuple(bands))
    height, width = (end - begin for begin, end in box)
    opponent = wavelet.synthesize(y.map(lambda t: t * problem.q_step), height, width)
    return replace(problem, opponent=opponent, y=y)


def _cut(latents: Tensor, level: int, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """Return the latents of a range of pixels, which starts at a multiple of `CELL`.

    level: 1 is the finest.
    """
    (top, bottom), (left, right) = ((a >> level, -(-b >> level)) for a, b in (rows, columns))
    return latents[..., top:bottom, left:right]


def _counting_all(progress: ProgressCallback, number: int, count: int) -> ProgressCallback:
    """Return a callback for the fit of one tile that counts the iterations of all tiles."""

    def counted(one: Progress) -> None:
        done = number * one.iterations + one.iteration
        progress(replace(one, iteration=done, iterations=count * one.iterations))

    return counted
