"""Range coding of integers: symbols under rows of `tables` in, bytes out, and back.

The coder is constriction's range coder (Bamler, "Understanding entropy coding with asymmetric
numeral systems", 2022; Martin, "Range encoding", 1979): 32-bit words, 64-bit state, 24-bit
probabilities. Symbols are coded group by group; all symbols of a group share one row. After a
group's symbols follow its escapes, the magnitudes beyond the row, as Exp-Golomb code words of
order `ESCAPE_ORDER` and a sign, bit by bit with equal probabilities.

An `Encoder` takes groups one by one and a `Decoder` returns them in the same order, so that decoded
symbols may decide under which row the next group is coded, as they do for latents. `encode_symbols`
and `decode_symbols` code groups whose rows are known beforehand, as those of coefficients are.

The stream has no end mark, and a shortened one still decodes, though to other symbols. Whoever
stores a stream must therefore store its length and its checksum (`format.bitstream`).
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
    """constriction's model with exactly the cumulative frequencies of a row.

    constriction gives every symbol a frequency of one and then distributes the rest in proportion
    to what it is given. Frequencies F arrive exactly if it is given F - 1 in float64; a test probes
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

        symbols: of all groups. runs: the row and the number of symbols of each. An image has tens
        of thousands of groups, so what NumPy can do for all of them is done at once.
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
        """The stream: 32-bit words without the zero bytes at the end, which the decoder adds."""
        stream: bytes = self._coder.get_compressed().astype("<u4").tobytes()
        return stream.rstrip(b"\0")


class Decoder:
    """Decodes groups of integers from the stream of an `Encoder`.

    Its methods raise CorruptBitstream for bytes that no encoder writes, as far as they notice.
    """

    def __init__(self, data: bytes) -> None:
        self._ends_in_zero = data.endswith(b"\0")
        padded = data + b"\0" * (-len(data) % 4)
        words = np.frombuffer(padded, dtype="<u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)

    def decode(self, count: int, row: TableRow) -> Integers:
        """The next group: `count` integers under one row."""
        return self.decode_runs([(row, count)])

    def decode_runs(self, runs: Sequence[Run]) -> Integers:
        """The next groups, one after the other in one array."""
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
        except AssertionError as error:  # constriction's word for bytes that no encoder writes
            raise CorruptBitstream("the range-coded symbols are damaged") from error
        return np.concatenate(groups) + _of_each(runs, "smallest")

    def decode_raw(self, count: int, bits: int) -> Integers:
        """The next `count` integers that `encode_raw` coded with so many bits."""
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
        """Refuse a stream that ends in a zero byte, or that goes on beyond the words which the
        decoder reads ahead."""
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
    """For each symbol the attribute `name` of its row."""
    values = np.array([getattr(row, name) for row, _ in runs], dtype=np.int32)
    return values.repeat(np.array([count for _, count in runs], dtype=np.int64))


def encode_symbols(groups: Iterable[tuple[Integers, int]]) -> bytes:
    """Range-code groups of coefficients; `decode_symbols` is the inverse.

    groups: (symbols, index of a row in `tables.rows`) each.
    """
    encoder = Encoder()
    for symbols, row in groups:
        encoder.encode(symbols, rows()[row])
    return encoder.finish()


def decode_symbols(data: bytes, groups: Sequence[tuple[int, int]]) -> list[Integers]:
    """Decode what `encode_symbols` returned.

    groups: (number of symbols, index of a row in `tables.rows`) each.
    """
    decoder = Decoder(data)
    return [decoder.decode(count, rows()[row]) for count, row in groups]


def decode_canonical_symbols(data: bytes, groups: Sequence[tuple[int, int]]) -> list[Integers]:
    """Decode symbols from exactly the bytes that `encode_symbols` writes for them.

    data: the stream. groups: (number of symbols, index of a row) of each group, as for
    `decode_symbols`. Several streams decode to the same symbols; only the encoder's is legal, so
    that a list of symbols has one representation. Any other raises CorruptBitstream.
    """
    symbols = decode_symbols(data, groups)
    again = encode_symbols((s, row) for s, (_, row) in zip(symbols, groups, strict=True))
    if again != data:
        raise CorruptBitstream("the range-coded symbols are not what an encoder writes")
    return symbols


def _escape_bits(value: int, row: TableRow) -> list[int]:
    """Bits of a value outside of a row: unary length, Exp-Golomb digits, 1 if it is below."""
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
    """Ideal code length of each symbol under a row of coefficients, in bits. Escapes are counted
    exactly.

    row: index in `tables.rows`.
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
    _, digits = np.frexp(excess.astype(np.float64))  # of an integer: its bit length
    return (2 * digits - ESCAPE_ORDER).astype(np.float64)


def code_length_bits(symbols: Integers, row: int) -> float:
    """Sum of `code_lengths_bits`."""
    return float(code_lengths_bits(symbols, row).sum())


def cheapest_row(symbols: Integers) -> int:
    """Index of the row of coefficients that codes `symbols` with the fewest bits."""
    values, counts = np.unique(symbols, return_counts=True)
    return min(range(len(rows())), key=lambda row: float(code_lengths_bits(values, row) @ counts))
