"""Coding the symbols of one step under the distributions that a context network said.

A distribution is three integers (`tables` has the formula): scale i, s = 2**(i / 8 - 4), 0 .. 112;
shape j, w = j / 4, 0 .. 4; and the location in sixteenths of s, -64 .. 64. From these follow, in
integers only,

    base    the integer nearest to the location (halves up), which is first rounded to units of
            1 / K (`tables`; halves up); what is coded is symbol - base
    flip    negative fractions of the location use the mirrored row
    shift   for s >= 16: the lowest bits of the difference are coded with equal probabilities, the
            rest under a row of 8 <= s < 16
    row     of `tables.latent_rows`

Symbols are sorted by row and coded row by row, then the low bits, shift by shift.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pranc_codec.entropy import tables
from pranc_codec.entropy.range_coder import LARGEST_MAGNITUDE, Decoder, Encoder, Integers
from pranc_codec.entropy.tables import LATENT_SCALES, PRECISION, latent_row_index, latent_rows
from pranc_codec.errors import CorruptBitstream

LARGEST_SCALE: Final = 112
LARGEST_LOC: Final = 64
OCTAVE: Final = 8
ESCAPE_BITS: Final = 7.0
"""What an escape costs beyond its row's price, about; for estimates."""

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Distributions:
    """One distribution a symbol; arrays of one length."""

    scale: Indices
    shape: Indices
    loc: Indices


@dataclass(frozen=True)
class _Codes:
    """What follows from distributions; see the module's text."""

    base: Integers
    flip: Integers
    shift: Integers
    row: Integers


@lru_cache(maxsize=1)
def _ratios() -> tuple[Indices, Indices]:
    """For each scale: K, and s in units of 1 / K, times 2**8, rounded.

    2**(n / 8) is rounded from integers: the largest r with r**8 <= 2**(n + 64), plus 1/2.
    """
    scales = np.arange(LARGEST_SCALE + 1)
    parts = tables.locs_of_scale(scales)
    eighths = [8 * (int(k).bit_length() - 1) + i - 32 for i, k in enumerate(parts)]
    return parts, np.array([_power(n) for n in eighths], dtype=np.int64)


def _power(eighths: int) -> int:
    """2**(eighths / 8 + 8), rounded to the nearest, by integers."""
    target, root = 1 << (eighths + 72), 1
    while (2 * root + 1) ** 8 <= target:  # compares root + 1/2
        root *= 2
    low, high = root // 2, root
    while low < high:
        middle = (low + high + 1) // 2
        if (2 * middle - 1) ** 8 <= target:
            low = middle
        else:
            high = middle - 1
    return low


def _codes(d: Distributions) -> _Codes:
    parts, ratio = (array[d.scale] for array in _ratios())
    units = (d.loc * ratio + (1 << 11)) >> 12
    base = (units + parts // 2) // parts
    fraction = units - base * parts
    shift = np.maximum(0, (d.scale - LATENT_SCALES) // OCTAVE + 1)
    row = latent_row_index(d.scale - OCTAVE * shift, d.shape, np.abs(fraction))
    flip = np.where(fraction < 0, -1, 1)
    small = (array.astype(np.int32) for array in (base, flip, shift, row))
    return _Codes(*small)


def encode_phase(encoder: Encoder, symbols: Integers, d: Distributions) -> None:
    """Code symbols; `decode_phase` is the inverse."""
    codes = _codes(d)
    difference = (symbols - codes.base) * codes.flip + _half(codes.shift)
    high = (difference >> codes.shift).astype(np.int32)
    low = (difference & ((1 << codes.shift) - 1)).astype(np.int32)
    places, runs = _sorted(codes.row)
    encoder.encode_runs(high[places], [(latent_rows()[row], count) for row, count in runs])
    for shift, part in _parts(*_sorted(codes.shift)):
        encoder.encode_raw(low[part], shift)


def decode_phase(decoder: Decoder, d: Distributions) -> Integers:
    """Inverse of `encode_phase`."""
    codes = _codes(d)
    high, low = np.zeros((2, len(d.scale)), dtype=np.int64)
    places, runs = _sorted(codes.row)
    high[places] = decoder.decode_runs([(latent_rows()[row], count) for row, count in runs])
    for shift, part in _parts(*_sorted(codes.shift)):
        low[part] = decoder.decode_raw(len(part), shift)
    difference = (high << codes.shift) + low - _half(codes.shift)
    symbols = difference * codes.flip + codes.base
    if np.abs(symbols).max(initial=0) > LARGEST_MAGNITUDE:
        raise CorruptBitstream("a symbol is larger than the format allows")
    return symbols.astype(np.int32)


def _half(shift: Integers) -> Integers:
    """Half a step of the high part, so that it is centred at zero."""
    return (1 << shift) >> 1


def _sorted(keys: Integers) -> tuple[Indices, list[tuple[int, int]]]:
    """Places in the order of their keys (below 2**15), equal ones rising; and each key that there
    is with its count."""
    keys = keys.astype(np.int16)  # which NumPy sorts by radix, eight times faster
    order = np.argsort(keys, kind="stable")
    counts = np.bincount(keys)
    found = np.flatnonzero(counts)
    return order, list(zip(found.tolist(), counts[found].tolist(), strict=True))


def _parts(places: Indices, runs: list[tuple[int, int]]) -> Iterator[tuple[int, Indices]]:
    """Each key with its places."""
    start = 0
    for key, count in runs:
        yield key, places[start : start + count]
        start += count


@lru_cache(maxsize=1)
def _costs() -> tuple[npt.NDArray[np.float32], Indices, Indices, Indices]:
    """Bits of every symbol of every row, one after the other; where rows start; their bounds."""
    rows = latent_rows()
    lengths = np.array([len(row.frequencies) for row in rows])
    flat = np.concatenate([row.frequencies for row in rows]).astype(np.float64)
    bits = (PRECISION - np.log2(flat)).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    smallest, largest = np.array([(row.smallest, row.largest) for row in rows]).T
    return bits, starts, smallest, largest


def code_lengths_bits(symbols: Integers, d: Distributions) -> npt.NDArray[np.float32]:
    """Ideal code length of each symbol (escapes about)."""
    return Costs(d).of(symbols)


class Costs:
    """Prices of symbols under distributions, for many candidates."""

    def __init__(self, d: Distributions) -> None:
        self._codes = _codes(d)
        _, starts, smallest, largest = _costs()
        row = self._codes.row
        self._start, self._smallest, self._largest = starts[row], smallest[row], largest[row]

    def of(self, symbols: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Bits of one candidate each."""
        codes = self._codes
        high = ((symbols - codes.base) * codes.flip + _half(codes.shift)) >> codes.shift
        inside = (high >= self._smallest) & (high <= self._largest)
        index = np.where(inside, high, self._largest + 1) - self._smallest
        out: npt.NDArray[np.float32] = _costs()[0][self._start + index] + codes.shift.astype(
            np.float32
        )
        return out + np.where(inside, 0, ESCAPE_BITS).astype(np.float32)
