"""Integer probability tables, on which encoder and decoder must agree to the last bit.

A row is a probability distribution of integers, as integer frequencies that sum to 2**24.

Rows of coefficients, around zero, with scales a quarter octave apart (`rows`):

    row 0 .. 44     Laplace,  mean absolute value 2**-3 .. 2**8
    row 45 .. 89    Gaussian, mean absolute value 2**-3 .. 2**8

Rows of latents (`latent_rows`). There is one for each of 64 scales s = 2**(i / 8 - 4), each of five
shapes w = j / 4, and each location f / K_i with f = 0 .. K_i / 2, where
K_i = max(1, 4 / 2**floor(i / 8 - 4)):

    P(X <= x) = (1 - w) logistic((x - f / K_i) / s) + w laplace((x - f / K_i) / (2 s))

The numbers are read from `tables.npy` and `latent_tables.npz`, which `make_tables` made once. No
exponential is evaluated at run time, so two machines cannot differ because of their mathematical
libraries. A row codes indices of its alphabet:

    0 .. largest - smallest     the integers smallest .. largest
    largest - smallest + 1      the escape: an integer outside of the row follows (`range_coder`)
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
LATENT_SCALES: Final = 64
LATENT_SHAPES: Final = 5
LATENT_SHA256: Final = "865c9ff4560026d2783de9eb221e4114b67b5ffad7218e07da1e7bda9801031d"


@dataclass(frozen=True, kw_only=True, eq=False)
class TableRow:
    """One distribution of integers.

    frequencies: one for each integer smallest .. largest, then that of the escape. They sum to
    2**24.
    """

    smallest: int
    largest: int
    frequencies: npt.NDArray[np.uint32]

    def cost_bits(self) -> npt.NDArray[np.float64]:
        """Return the ideal code length in bits of each alphabet index.

        It serves estimates, never coding.
        """
        return PRECISION - np.log2(self.frequencies.astype(np.float64))


def sha256_of(flat: npt.NDArray[np.uint32]) -> str:
    """Return SHA-256 of a table's numbers as little-endian bytes, in hexadecimal."""
    return hashlib.sha256(flat.astype("<u4").tobytes()).hexdigest()


def _load(name: str, sha256: str) -> npt.NDArray[np.uint32]:
    """Read a shipped table and check it against its pinned hash."""
    with (files("pranc_codec.entropy") / name).open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        flat: npt.NDArray[np.uint32] = loaded["rows"] if name.endswith("z") else loaded
    if sha256_of(flat) != sha256:
        raise RuntimeError(f"{name} is not the table of this format: reinstall pranc_codec")
    return flat


@lru_cache(maxsize=1)
def rows() -> tuple[TableRow, ...]:
    """Return all rows of coefficients, by their number in the format."""
    flat = _load("tables.npy", SHA256)
    out, start = [], 0
    while start < len(flat):
        largest = int(flat[start])
        half = flat[start + 1 : start + 2 + largest]
        escape = flat[start + 2 + largest]
        both = np.concatenate([half[:0:-1], half, [escape]])
        out.append(TableRow(smallest=-largest, largest=largest, frequencies=both))
        start += largest + 3
    return tuple(out)


@lru_cache(maxsize=1)
def latent_rows() -> tuple[TableRow, ...]:
    """Return all rows of latents. `latent_row_index` finds one by its scale, shape and location."""
    flat = _load("latent_tables.npz", LATENT_SHA256)
    out, start = [], 0
    while start < len(flat):
        below, above = int(flat[start]), int(flat[start + 1])
        end = start + 2 + below + above + 2
        out.append(TableRow(smallest=-below, largest=above, frequencies=flat[start + 2 : end]))
        start = end
    return tuple(out)


def locs_of_scale(scale: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return K_i of each scale: into how many parts its rows divide the interval [0, 1]."""
    octave = scale // 8 - 4
    return np.where(octave < 2, 4 << np.clip(-octave, 0, 4) >> np.clip(octave, 0, 2), 1)


def latent_row_index(
    scale: npt.NDArray[np.int64], shape: npt.NDArray[np.int64], loc: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return index in `latent_rows`, which are sorted by scale, then shape, then location.

    scale: i, 0 .. 63. shape: j, 0 .. 4. loc: f, 0 .. K_i / 2. Arrays of one shape.
    """
    counts = locs_of_scale(np.arange(LATENT_SCALES)) // 2 + 1
    first = np.concatenate([[0], np.cumsum(LATENT_SHAPES * counts)])
    return np.asarray(first[scale] + shape * counts[scale] + loc)
