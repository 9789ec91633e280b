"""Make the integer frequency tables that ship as `tables.npy` and `latent_tables.npz`.

    python -m pranc_codec.entropy.make_tables

Needs mpmath. Every probability is computed with 40 digits and rounded once, so that any machine
makes the same file; hashes in `tables` pin them. A change of the tables is a change of the format.
"""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mpmath
import numpy as np

from pranc_codec.entropy import tables
from pranc_codec.files import write_atomically

LATENT_TAIL = 2.0**-16
SMALLEST_ESCAPE = 64  # a surprise costs some 25 bits, not 34


def laplace_tail(x: mpmath.mpf, scale: mpmath.mpf) -> mpmath.mpf:
    """P(X > x) for x > 0 of a Laplace distribution with mean absolute value `scale`."""
    return mpmath.exp(-x / scale) / 2


def gaussian_tail(x: mpmath.mpf, scale: mpmath.mpf) -> mpmath.mpf:
    """P(X > x) for x > 0 of a normal distribution with mean absolute value `scale`."""
    sigma = scale * mpmath.sqrt(mpmath.pi / 2)
    return mpmath.erfc(x / (sigma * mpmath.sqrt(2))) / 2


def frequencies(tail: Callable[[mpmath.mpf], mpmath.mpf], largest: int) -> list[int]:
    """Integer frequencies of 0, of +-1 .. +-largest and of the escape; they sum to 2**24."""
    edges = [tail(mpmath.mpf(2 * m + 1) / 2) for m in range(largest + 1)]
    sides = [edges[m - 1] - edges[m] for m in range(1, largest + 1)]
    rounded = [max(1, int(mpmath.nint(p * tables.TOTAL))) for p in sides]
    escape = max(1, int(mpmath.nint(2 * edges[largest] * tables.TOTAL)))
    return [tables.TOTAL - 2 * sum(rounded) - escape, *rounded, escape]


def all_rows() -> np.ndarray:
    """Every row as its largest magnitude followed by its frequencies, one after the other."""
    mpmath.mp.dps = 40
    flat: list[int] = []
    for shape, reach in ((laplace_tail, 8), (gaussian_tail, 6)):
        for index in range(tables.SCALES):
            scale = mpmath.mpf(2) ** (mpmath.mpf(index) / 4 + tables.LOG2_SMALLEST_SCALE)
            largest = int(mpmath.ceil(reach * scale)) + 1
            flat += [largest, *frequencies(partial(shape, scale=scale), largest)]
    return np.array(flat, dtype="<u4")


def latent_cdf(x: mpmath.mpf, scale: mpmath.mpf, shape: mpmath.mpf) -> mpmath.mpf:
    """P(X <= x) of the latents' distribution around 0; see `tables`."""
    logistic = 1 / (1 + mpmath.exp(-x / scale))
    tail = mpmath.exp(-abs(x) / (2 * scale)) / 2
    return (1 - shape) * logistic + shape * (tail if x < 0 else 1 - tail)


def latent_frequencies(
    scale: mpmath.mpf, shape: mpmath.mpf, loc: mpmath.mpf
) -> tuple[int, int, list[int]]:
    """How many integers below and above zero a row has, and its frequencies, escape last."""
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
    """Every row of a scale: reach below and above zero, then frequencies."""
    mpmath.mp.dps = 40
    scale = mpmath.mpf(2) ** (mpmath.mpf(index) / 8 - 4)
    parts = int(tables.locs_of_scale(np.array(index)))
    flat = []
    for shape in range(tables.LATENT_SHAPES):
        for loc in range(parts // 2 + 1):
            below, above, frequencies = latent_frequencies(
                scale, mpmath.mpf(shape) / 4, mpmath.mpf(loc) / parts
            )
            flat += [below, above, *frequencies]
    return flat


def main() -> None:
    folder = Path(tables.__file__).parent
    with write_atomically(folder / "tables.npy") as file:
        np.save(file, all_rows())
    flat = [n for index in range(tables.LATENT_SCALES) for n in latent_rows_of_scale(index)]
    latents = np.array(flat, dtype="<u4")
    with write_atomically(folder / "latent_tables.npz") as file:
        np.savez_compressed(file, rows=latents)
    print("tables.npy", tables.sha256_of(all_rows()))
    print("latent_tables.npz", tables.sha256_of(latents), len(latents))


if __name__ == "__main__":
    main()
