"""Make the integer frequency tables that ship as `pranc_codec/tables.npy`.

    python -m pranc_codec.training.make_tables

Needs mpmath. Every probability is computed with 40 digits and rounded once, so that any machine
makes the same file; `tables.SHA256` pins it. A change of the tables is a change of the format.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import mpmath
import numpy as np

from pranc_codec import tables
from pranc_codec.files import write_atomically


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


def main() -> None:
    path = Path(tables.__file__).with_name("tables.npy")
    with write_atomically(path) as file:
        np.save(file, all_rows())
    print(path, tables.sha256_of(np.load(path)))


if __name__ == "__main__":
    main()
