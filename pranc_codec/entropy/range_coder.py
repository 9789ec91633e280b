"""Range coding of integers: symbols under rows of `tables` in, bytes out, and back.

The coder is constriction's range coder (Bamler, "Understanding entropy coding with asymmetric
numeral systems", 2022; Martin, "Range encoding", 1979): 32-bit words, 64-bit state, 24-bit
probabilities. Symbols are coded group by group; all symbols of a group share one row. The escapes
of a group follow its symbols: each is the distance beyond the row as an Exp-Golomb code word of
order `ESCAPE_ORDER`, then a sign, coded bit by bit with equal probabilities.

An `Encoder` takes groups one by one and a `Decoder` returns them in the same order, so decoded
symbols may decide under which row the next group is coded. Latents need this. `encode_symbols` and
`decode_symbols` code groups whose rows are known beforehand, as they are for coefficients.

The stream has no end mark: a shortened stream still decodes, but to other symbols. Whoever stores
a stream must therefore store its length and its checksum (`format.bitstream`).
"""

from collections import deque
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import constriction
import numpy as np
import numpy.typing as npt

from pranc_codec.entropy.tables import TOTAL, TableRow, rows
from pranc_codec.errors import CorruptBitstream

Integers = npt.NDArray[np.int32]
ESCAPE_ORDER: Final = 4
LARGEST_MAGNITUDE: Final = (1 << 24) - 1
MOST_ESCAPE_DIGITS: Final = 24


@lru_cache(maxsize=4096)
def exact_model(row: TableRow) -> constriction.stream.model.Categorical:
    """Return constriction's model with exactly the cumulative frequencies of a row.

    constriction gives every symbol a frequency of one and then distributes the rest in proportion
    to its input. It uses exactly the frequencies F if its input is F - 1 in float64; a test checks
    every boundary.
    """
    assert int(row.frequencies.sum(dtype=np.int64)) == TOTAL
    return constriction.stream.model.Categorical(
        (row.frequencies - 1).astype(np.float64), perfect=False
    )


BIT: Final = constriction.stream.model.Uniform(2)


Run = tuple[TableRow, int]
"""The row of a group and its number of symbols."""


class Encoder:
    """Codes groups of integers into one stream; `Decoder` is the inverse."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(self, symbols: Integers, row: TableRow) -> None:
        """Append a group: integers under one row, then their escapes."""
        self.encode_runs(symbols, [(row, len(symbols))])

    def encode_runs(self, symbols: Integers, runs: Sequence[Run]) -> None:
        """Append groups one after the other.

        symbols: those of all groups, concatenated. runs: the row and the number of symbols of each
        group. An image has tens of thousands of groups, so NumPy processes all of them at once
        where it can.
        """
        smallest, largest = (_of_each(runs, name) for name in ("smallest", "largest"))
        escaped = (symbols < smallest) | (symbols > largest)
        indices = (np.where(escaped, largest + 1, symbols) - smallest).astype(np.int32)
        places, start = deque(np.flatnonzero(escaped).tolist()), 0
        for row, count in runs:
            if count:
                self._coder.encode(indices[start : start + count], exact_model(row))
            start += count
            while places and places[0] < start:
                bits = _escape_bits(int(symbols[places.popleft()]), row)
                self._coder.encode(np.array(bits, dtype=np.int32), BIT)

    def encode_raw(self, values: Integers, bits: int) -> None:
        """Append integers 0 .. 2**bits - 1 with equal probabilities; at most 16 bits."""
        if values.size and bits:
            self._coder.encode(values, constriction.stream.model.Uniform(1 << bits))

    @property
    def words(self) -> int:
        """Number of 32-bit words that the stream would have if it ended here."""
        return int(self._coder.num_words())

    def finish(self) -> bytes:
        """Return the stream: 32-bit words without their trailing zero bytes.

        The decoder adds these again.
        """
        stream: bytes = self._coder.get_compressed().astype("<u4").tobytes()
        return stream.rstrip(b"\0")


class Decoder:
    """Decodes groups of integers from the stream of an `Encoder`.

    Its methods raise CorruptBitstream where they notice bytes that no encoder writes.
    """

    def __init__(self, data: bytes) -> None:
        self._ends_in_zero = data.endswith(b"\0")
        padded = data + b"\0" * (-len(data) % 4)
        words = np.frombuffer(padded, dtype="<u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)

    def decode(self, count: int, row: TableRow) -> Integers:
        """Return the next group: `count` integers under one row."""
        return self.decode_runs([(row, count)])

    def decode_runs(self, runs: Sequence[Run]) -> Integers:
        """Return the next groups, concatenated in one array."""
        groups = [np.zeros(0, dtype=np.int32)]
        try:
            for row, count in runs:
                if not count:
                    continue
                groups.append(indices := self._coder.decode(exact_model(row), count))
                escape = row.largest - row.smallest + 1
                if np.maximum.reduce(indices) == escape:
                    for place in np.flatnonzero(indices == escape):
                        indices[place] = self._decode_escape(row) - row.smallest
        except AssertionError as error:  # constriction raises it for bytes that no encoder writes
            raise CorruptBitstream("the range-coded symbols are damaged") from error
        return np.concatenate(groups) + _of_each(runs, "smallest")

    def decode_raw(self, count: int, bits: int) -> Integers:
        """Return the next `count` integers, which `encode_raw` coded with `bits` bits each."""
        if count == 0 or bits == 0:
            return np.zeros(count, dtype=np.int32)
        try:
            out: Integers = self._coder.decode(
                constriction.stream.model.Uniform(1 << bits), count
            ).astype(np.int32)
        except AssertionError as error:
            raise CorruptBitstream("the range-coded symbols are damaged") from error
        return out

    def finish(self) -> None:
        """Raise CorruptBitstream if bytes are left over, or if the stream ends in a zero byte.

        The words that the decoder reads ahead do not count as left over.
        """
        if self._ends_in_zero or not self._coder.maybe_exhausted():
            raise CorruptBitstream("bytes follow the end of the range-coded symbols")

    def _decode_escape(self, row: TableRow) -> int:
        digits = ESCAPE_ORDER
        while not self._coder.decode(BIT):
            digits += 1
            if digits > MOST_ESCAPE_DIGITS:
                raise CorruptBitstream("an escaped symbol is larger than the format allows")
        excess = 1
        for _ in range(digits):
            excess = excess << 1 | int(self._coder.decode(BIT))
        beyond = excess - (1 << ESCAPE_ORDER) + 1
        value = row.smallest - beyond if self._coder.decode(BIT) else row.largest + beyond
        if abs(value) > LARGEST_MAGNITUDE:
            raise CorruptBitstream("an escaped symbol is larger than the format allows")
        return value


def _of_each(runs: Sequence[Run], name: str) -> Integers:
    """Return, for each symbol, the attribute `name` of its row."""
    values = np.array([getattr(row, name) for row, _ in runs], dtype=np.int32)
    return values.repeat(np.array([count for _, count in runs], dtype=np.int64))


def encode_symbols(groups: Iterable[tuple[Integers, int]]) -> bytes:
    """Range-code groups of coefficients; `decode_symbols` is the inverse.

    groups: a pair (symbols, index of a row in `tables.rows`) for each group.
    """
    encoder = Encoder()
    for symbols, row in groups:
        encoder.encode(symbols, rows()[row])
    return encoder.finish()


def decode_symbols(data: bytes, groups: Sequence[tuple[int, int]]) -> list[Integers]:
    """Decode what `encode_symbols` returned.

    groups: a pair (number of symbols, index of a row in `tables.rows`) for each group.
    """
    decoder = Decoder(data)
    return [decoder.decode(count, rows()[row]) for count, row in groups]


def decode_canonical_symbols(data: bytes, groups: Sequence[tuple[int, int]]) -> list[Integers]:
    """Decode symbols from exactly the bytes that `encode_symbols` writes for them.

    data: the stream. groups: as for `decode_symbols`. Several streams decode to the same symbols,
    but only the encoder's is legal, so that every list of symbols has one representation. Raises
    CorruptBitstream for any other stream.
    """
    symbols = decode_symbols(data, groups)
    again = encode_symbols((s, row) for s, (_, row) in zip(symbols, groups, strict=True))
    if again != data:
        raise CorruptBitstream("the range-coded symbols are not what an encoder writes")
    return symbols


def _escape_bits(value: int, row: TableRow) -> list[int]:
    """Return the bits of a value outside a row: unary length, Exp-Golomb digits, 1 if below."""
    if abs(value) > LARGEST_MAGNITUDE:
        raise OverflowError(f"symbol {value} is beyond the format's +-{LARGEST_MAGNITUDE}")
    beyond = row.smallest - value if value < row.smallest else value - row.largest
    excess = beyond - 1 + (1 << ESCAPE_ORDER)
    digits = excess.bit_length()
    unary = [0] * (digits - ESCAPE_ORDER - 1) + [1]
    below = int(value < row.smallest)
    return [*unary, *(excess >> i & 1 for i in range(digits - 2, -1, -1)), below]


@lru_cache(maxsize=1)
def _costs_bits() -> list[npt.NDArray[np.float64]]:
    """`TableRow.cost_bits` of each row of coefficients."""
    return [row.cost_bits() for row in rows()]


def code_lengths_bits(symbols: Integers, row: int) -> npt.NDArray[np.float64]:
    """Return the ideal code length in bits of each symbol under a row of coefficients.

    Escapes are counted exactly. row: index in `tables.rows`.
    """
    table = rows()[row]
    magnitudes = np.abs(symbols.astype(np.int64))
    escaped = magnitudes > table.largest
    indices = np.where(escaped, 2 * table.largest + 1, symbols + table.largest)
    out: npt.NDArray[np.float64] = _costs_bits()[row][indices]
    if escaped.any():
        out[escaped] += _escape_lengths_bits(magnitudes[escaped], table)
    return out


def _escape_lengths_bits(
    magnitudes: npt.NDArray[np.int64], row: TableRow
) -> npt.NDArray[np.float64]:
    """Length of `_escape_bits` of each magnitude beyond a row of coefficients."""
    largest = int(magnitudes.max(initial=0))
    if largest > LARGEST_MAGNITUDE:
        raise OverflowError(f"symbol {largest} is beyond the format's +-{LARGEST_MAGNITUDE}")
    excess = magnitudes - row.largest - 1 + (1 << ESCAPE_ORDER)
    _, digits = np.frexp(excess.astype(np.float64))  # for an integer, this is its bit length
    return (2 * digits - ESCAPE_ORDER).astype(np.float64)


def code_length_bits(symbols: Integers, row: int) -> float:
    """Return the sum of `code_lengths_bits`."""
    return float(code_lengths_bits(symbols, row).sum())


def cheapest_row(symbols: Integers) -> int:
    """Return the index of the row of coefficients that codes `symbols` with the fewest bits."""
    values, counts = np.unique(symbols, return_counts=True)
    return min(range(len(rows())), key=lambda row: float(code_lengths_bits(values, row) @ counts))
