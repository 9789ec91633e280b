"""Code integers that each have a distribution of their own, which a context model predicts.

`tables` gives the formula of a distribution. Three integers describe it: scale i, 0 .. 112, with
s = 2**(i / 8 - 4); shape j, 0 .. 4, with w = j / 4; and the location in sixteenths of s, -64 .. 64.
The following are computed from these, in integers only:

    base    the location, rounded to units of 1 / K (`tables`) and then to the nearest integer,
            halves up in both cases; symbol - base is coded
    flip    -1 if the fractional part of the location is negative: the mirrored row is used; else 1
    shift   for s >= 16, how many of the lowest bits of the difference are coded with equal
            probabilities; the other bits are coded under a row with 8 <= s < 16
    row     index in `tables.latent_rows`

The symbols of one call are sorted by row and coded row by row. Their low bits follow, sorted by
shift.
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
"""Approximate length of the bits that follow an escape. It serves estimates only."""

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Distributions:
    """The distributions of symbols: arrays with one number for each symbol.

    scale: 0 .. 112. shape: 0 .. 4. loc: location in sixteenths of the scale, -64 .. 64.
    """

    scale: Indices
    shape: Indices
    loc: Indices


@dataclass(frozen=True)
class _Codes:
    """How symbols are coded under their distributions; see the module's docstring."""

    base: Integers
    flip: Integers
    shift: Integers
    row: Integers


@lru_cache(maxsize=1)
def _ratios() -> tuple[Indices, Indices]:
    """Return for each scale: K, and s in units of 1 / K, times 2**8, rounded."""
    scales = np.arange(LARGEST_SCALE + 1)
    parts = tables.locs_of_scale(scales)
    eighths = [8 * (int(k).bit_length() - 1) + i - 32 for i, k in enumerate(parts)]
    return parts, np.array([_power(n) for n in eighths], dtype=np.int64)


def _power(eighths: int) -> int:
    """Return 2**(eighths / 8 + 8), rounded to the nearest integer r in integer arithmetic.

    r is the largest integer with (r - 1/2)**8 <= 2**(eighths + 64).
    """
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
    """Append symbols to a stream; `decode_phase` is the inverse.

    symbols: integers, one for each distribution. A phase is the set of symbols that one run of the
    context model predicts; they are coded in one call.
    """
    codes = _codes(d)
    difference = (symbols - codes.base) * codes.flip + _half(codes.shift)
    high = (difference >> codes.shift).astype(np.int32)
    low = (difference & ((1 << codes.shift) - 1)).astype(np.int32)
    places, runs = _sorted(codes.row)
    encoder.encode_runs(high[places], [(latent_rows()[row], count) for row, count in runs])
    for shift, part in _parts(*_sorted(codes.shift)):
        encoder.encode_raw(low[part], shift)


def decode_phase(decoder: Decoder, d: Distributions) -> Integers:
    """Return the next symbols of a stream; inverse of `encode_phase`.

    Raises CorruptBitstream if one is larger than the format allows.
    """
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
    """Return half a unit of the part above the low bits; adding it centres that part at zero."""
    return (1 << shift) >> 1


def _sorted(keys: Integers) -> tuple[Indices, list[tuple[int, int]]]:
    """The stable order of keys (below 2**15), and each key that occurs with its count."""
    keys = keys.astype(np.int16)  # NumPy sorts these by radix, eight times faster
    order = np.argsort(keys, kind="stable")
    counts = np.bincount(keys)
    found = np.flatnonzero(counts)
    return order, list(zip(found.tolist(), counts[found].tolist(), strict=True))


def _parts(places: Indices, runs: list[tuple[int, int]]) -> Iterator[tuple[int, Indices]]:
    """Each key with the places where it occurs."""
    start = 0
    for key, count in runs:
        yield key, places[start : start + count]
        start += count


@lru_cache(maxsize=1)
def _costs() -> tuple[npt.NDArray[np.float32], Indices, Indices, Indices]:
    """Return the code lengths in bits of all rows' alphabets, concatenated, and three indexes.

    These are: where each row starts, and the smallest and the largest integer of each row.
    """
    rows = latent_rows()
    lengths = np.array([len(row.frequencies) for row in rows])
    flat = np.concatenate([row.frequencies for row in rows]).astype(np.float64)
    bits = (PRECISION - np.log2(flat)).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    smallest, largest = np.array([(row.smallest, row.largest) for row in rows]).T
    return bits, starts, smallest, largest


def code_lengths_bits(symbols: Integers, d: Distributions) -> npt.NDArray[np.float32]:
    """Return the ideal code length of each symbol in bits. Escapes are counted approximately."""
    return Costs(d).of(symbols)


class Costs:
    """Code lengths of several sets of candidate symbols under the same distributions."""

    def __init__(self, d: Distributions) -> None:
        self._codes = _codes(d)
        _, starts, smallest, largest = _costs()
        row = self._codes.row
        self._start, self._smallest, self._largest = starts[row], smallest[row], largest[row]

    def of(self, symbols: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return ideal code length in bits of one candidate symbol for each distribution."""
        codes = self._codes
        high = ((symbols - codes.base) * codes.flip + _half(codes.shift)) >> codes.shift
        inside = (high >= self._smallest) & (high <= self._largest)
        index = np.where(inside, high, self._largest + 1) - self._smallest
        out: npt.NDArray[np.float32] = _costs()[0][self._start + index] + codes.shift.astype(
            np.float32
        )
        return out + np.where(inside, 0, ESCAPE_BITS).astype(np.float32)
