"""Make the integer frequency tables that ship as `tables.npy` and `latent_tables.npz`.

    python -m pranc_codec.entropy.make_tables

This needs mpmath. Every probability is computed with 40 digits and rounded once, so that every
machine makes the same numbers; the hashes in `tables` pin them. A change of the tables is a change
of the format.
"""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import mpmath
import numpy as np

from pranc_codec.entropy import tables
from pranc_codec.files import write_atomically

DIGITS: Final = 40
"""Decimal digits of all intermediate results."""
LATENT_TAIL: Final = 2.0**-16
"""A row of latents is cut off on each side where less probability than this remains."""
SMALLEST_ESCAPE: Final = 64
"""Smallest frequency of the escape in a row of latents. With it, an escaped symbol costs about 25
bits rather than 34."""


def laplace_tail(x: mpmath.mpf, scale: mpmath.mpf) -> mpmath.mpf:
    """Return P(X > x) for x > 0 of a Laplace distribution with mean absolute value `scale`."""
    return mpmath.exp(-x / scale) / 2


def gaussian_tail(x: mpmath.mpf, scale: mpmath.mpf) -> mpmath.mpf:
    """Return P(X > x) for x > 0 of a normal distribution with mean absolute value `scale`."""
    sigma = scale * mpmath.sqrt(mpmath.pi / 2)
    return mpmath.erfc(x / (sigma * mpmath.sqrt(2))) / 2


def frequencies(tail: Callable[[mpmath.mpf], mpmath.mpf], largest: int) -> list[int]:
    """Integer frequencies of 0, of +-1 .. +-largest and of the escape; they sum to 2**24."""
    edges = [tail(mpmath.mpf(2 * m + 1) / 2) for m in range(largest + 1)]
    sides = [edges[m - 1] - edges[m] for m in range(1, largest + 1)]
    rounded = [max(1, int(mpmath.nint(p * tables.TOTAL))) for p in sides]
    escape = max(1, int(mpmath.nint(2 * edges[largest] * tables.TOTAL)))
    return [tables.TOTAL - 2 * sum(rounded) - escape, *rounded, escape]


KINDS: Final = ((laplace_tail, 8), (gaussian_tail, 6))
"""Tail function of each kind of coefficient row, and how many scales wide the row is."""


def coefficient_row(number: int) -> list[int]:
    """Return a row of coefficients as the file holds it: largest magnitude, then `frequencies`."""
    kind, index = divmod(number, tables.SCALES)
    tail, reach = KINDS[kind]
    with mpmath.workdps(DIGITS):
        scale = mpmath.mpf(2) ** (mpmath.mpf(index) / 4 + tables.LOG2_SMALLEST_SCALE)
        largest = int(mpmath.ceil(reach * scale)) + 1
        return [largest, *frequencies(partial(tail, scale=scale), largest)]


def latent_cdf(x: mpmath.mpf, scale: mpmath.mpf, shape: mpmath.mpf) -> mpmath.mpf:
    """Return P(X <= x) of the latents' distribution at location 0; see `tables`."""
    logistic = 1 / (1 + mpmath.exp(-x / scale))
    tail = mpmath.exp(-abs(x) / (2 * scale)) / 2
    return (1 - shape) * logistic + shape * (tail if x < 0 else 1 - tail)


def latent_frequencies(
    scale: mpmath.mpf, shape: mpmath.mpf, loc: mpmath.mpf
) -> tuple[int, int, list[int]]:
    """Return the number of integers below zero, the number above zero, and the frequencies.

    The last frequency is that of the escape. shape: 0 is logistic, 1 is Laplace. loc: location
    between two integers, 0 .. 1/2.
    """
    below = above = 1
    while latent_cdf(-below - loc, scale, shape) > LATENT_TAIL:
        below += 1
    while 1 - latent_cdf(above - loc, scale, shape) > LATENT_TAIL:
        above += 1
    half = mpmath.mpf(1) / 2
    edges = [latent_cdf(r - half - loc, scale, shape) for r in range(-below, above + 2)]
    inside = [
        max(1, int(mpmath.nint((b - a) * tables.TOTAL))) for a, b in itertools.pairwise(edges)
    ]
    escape = max(SMALLEST_ESCAPE, int(mpmath.nint((edges[0] + 1 - edges[-1]) * tables.TOTAL)))
    inside[inside.index(max(inside))] += tables.TOTAL - sum(inside) - escape
    return below, above, [*inside, escape]


def latent_rows_of_scale(index: int) -> list[int]:
    """Return all rows of latents of one scale as the file holds them.

    Each row is the number of integers below zero, the number above zero, then the frequencies.
    """
    parts = int(tables.locs_of_scale(np.array(index)))
    flat = []
    with mpmath.workdps(DIGITS):
        scale = mpmath.mpf(2) ** (mpmath.mpf(index) / 8 - 4)
        for shape, loc in itertools.product(range(tables.LATENT_SHAPES), range(parts // 2 + 1)):
            below, above, found = latent_frequencies(
                scale, mpmath.mpf(shape) / 4, mpmath.mpf(loc) / parts
            )
            flat += [below, above, *found]
    return flat


def main() -> None:
    """Write both files beside `tables` and print their hashes."""
    folder = Path(tables.__file__).parent
    numbers = [n for row in range(tables.ROWS) for n in coefficient_row(row)]
    coefficients = np.array(numbers, dtype="<u4")
    with write_atomically(folder / "tables.npy") as file:
        np.save(file, coefficients)
    flat = [n for index in range(tables.LATENT_SCALES) for n in latent_rows_of_scale(index)]
    latents = np.array(flat, dtype="<u4")
    with write_atomically(folder / "latent_tables.npz") as file:
        np.savez_compressed(file, rows=latents)
    print("tables.npy", tables.sha256_of(coefficients))
    print("latent_tables.npz", tables.sha256_of(latents), len(latents))


if __name__ == "__main__":
    main()
