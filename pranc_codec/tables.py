"""Integer probability tables: what the encoder and the decoder must agree on to the last bit.

A row is a probability distribution of signed integers around zero, as integer frequencies that
sum to 2**24. Two families of rows with scales a quarter octave apart:

    row 0 .. 44     Laplace,  mean absolute value 2**-3 .. 2**8
    row 45 .. 89    Gaussian, mean absolute value 2**-3 .. 2**8

The numbers are read from `tables.npy`, made once by `training/make_tables.py`; no exponential is
evaluated at run time, so no mathematical library can make two machines differ. Symbols of a row:

    alphabet index   0 .. 2*largest        the integers -largest .. largest
                     2*largest + 1         escape: a larger magnitude follows outside of the table
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt

PRECISION: Final = 24
TOTAL: Final = 1 << PRECISION
SCALES: Final = 45
LOG2_SMALLEST_SCALE: Final = -3
ROWS: Final = 2 * SCALES
SHA256: Final = "c23635ea478dfbf29af1327848089e6c482480ab827c8aab8ddddc1700081228"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One distribution: frequencies of -largest .. largest and of the escape, uint32, sum 2**24."""

    largest: int
    frequencies: npt.NDArray[np.uint32]

    def cost_bits(self) -> npt.NDArray[np.float64]:
        """Ideal code length in bits of each alphabet index (for estimates, never for coding)."""
        return PRECISION - np.log2(self.frequencies.astype(np.float64))


def sha256_of(flat: npt.NDArray[np.uint32]) -> str:
    """Hash of the table's numbers as little-endian bytes."""
    return hashlib.sha256(flat.astype("<u4").tobytes()).hexdigest()


@lru_cache(maxsize=1)
def rows() -> tuple[Row, ...]:
    """All rows, checked against the pinned hash."""
    with (files("pranc_codec") / "tables.npy").open("rb") as file:
        flat: npt.NDArray[np.uint32] = np.load(file, allow_pickle=False)
    if sha256_of(flat) != SHA256:
        raise RuntimeError("tables.npy is not the table of this format: reinstall pranc_codec")
    out, start = [], 0
    while start < len(flat):
        largest = int(flat[start])
        half = flat[start + 1 : start + 2 + largest]
        escape = flat[start + 2 + largest]
        out.append(Row(largest=largest, frequencies=np.concatenate([half[:0:-1], half, [escape]])))
        start += largest + 3
    return tuple(out)
