"""Range coding of integers: rows of `tables` in, bytes out, and back.

The coder is constriction's range coder (Bamler, "Understanding entropy coding with asymmetric
numeral systems", 2022; Martin, "Range encoding", 1979): 32-bit words, 64-bit state, 24-bit
probabilities. Symbols are coded group by group; all symbols of a group share one row. After a
group's symbols follow its escapes, the magnitudes beyond the row, as Exp-Golomb code words of
order `ESCAPE_ORDER` and a sign, bit by bit with equal probabilities.

The stream ends without a mark and a shortened one still decodes, to other symbols: whoever
stores it stores its length and checksum as well (`bitstream`).
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import constriction
import numpy as np
import numpy.typing as npt

from pranc_codec.errors import CorruptBitstream
from pranc_codec.tables import TOTAL, rows

Integers = npt.NDArray[np.int32]
ESCAPE_ORDER: Final = 4
LARGEST_MAGNITUDE: Final = (1 << 24) - 1


@lru_cache(maxsize=128)
def exact_model(row: int) -> constriction.stream.model.Categorical:
    """The coder's model of a row with exactly the row's cumulative frequencies.

    constriction gives every symbol a frequency of at least one before it shares out the rest in
    proportion; handing over F - 1 in float64 makes it arrive at F (a test probes every boundary).
    """
    frequencies = rows()[row].frequencies
    assert int(frequencies.sum()) == TOTAL
    return constriction.stream.model.Categorical(
        (frequencies - 1).astype(np.float64), perfect=False
    )


BIT: Final = constriction.stream.model.Uniform(2)


def encode_symbols(groups: Iterable[tuple[Integers, int]]) -> bytes:
    """Range-code groups of (symbols, row); `decode_symbols` is the inverse."""
    encoder = constriction.stream.queue.RangeEncoder()
    for symbols, row in groups:
        largest = rows()[row].largest
        escaped = np.abs(symbols) > largest
        indices = np.where(escaped, 2 * largest + 1, symbols + largest).astype(np.int32)
        if indices.size:
            encoder.encode(indices, exact_model(row))
        bits = [bit for value in symbols[escaped] for bit in _escape_bits(int(value), largest)]
        if bits:
            encoder.encode(np.array(bits, dtype=np.int32), BIT)
    stream: bytes = encoder.get_compressed().astype("<u4").tobytes()
    return stream.rstrip(b"\0")  # the decoder reads zeros past the end


def decode_symbols(data: bytes, groups: Sequence[tuple[int, int]]) -> list[Integers]:
    """Decode groups of (number of symbols, row) from what `encode_symbols` returned."""
    padded = data + b"\0" * (-len(data) % 4)
    words = np.frombuffer(padded, dtype="<u4").astype(np.uint32)
    decoder = constriction.stream.queue.RangeDecoder(words)
    return [_decode_group(decoder, count, row) for count, row in groups]


def _decode_group(
    decoder: constriction.stream.queue.RangeDecoder, count: int, row: int
) -> Integers:
    if count == 0:
        return np.zeros(0, dtype=np.int32)
    largest = rows()[row].largest
    try:
        indices: Integers = decoder.decode(exact_model(row), count)
        symbols = indices - np.int32(largest)
        for position in np.flatnonzero(indices == 2 * largest + 1):
            symbols[position] = _decode_escape(decoder, largest)
    except AssertionError as error:  # constriction's word for bytes that no encoder writes
        raise CorruptBitstream("the range-coded symbols are damaged") from error
    return symbols


def _escape_bits(value: int, largest: int) -> list[int]:
    """Bits of an escaped value: unary length, Exp-Golomb digits, sign; see `_decode_escape`."""
    if abs(value) > LARGEST_MAGNITUDE:
        raise OverflowError(f"symbol {value} is beyond the format's +-{LARGEST_MAGNITUDE}")
    excess = abs(value) - largest - 1 + (1 << ESCAPE_ORDER)
    digits = excess.bit_length()
    unary = [0] * (digits - ESCAPE_ORDER - 1) + [1]
    return [*unary, *(excess >> i & 1 for i in range(digits - 2, -1, -1)), int(value < 0)]


def _decode_escape(decoder: constriction.stream.queue.RangeDecoder, largest: int) -> int:
    digits = ESCAPE_ORDER
    while not decoder.decode(BIT):
        digits += 1
        if digits > 24:
            raise CorruptBitstream("an escaped symbol is larger than the format allows")
    excess = 1
    for _ in range(digits):
        excess = excess << 1 | int(decoder.decode(BIT))
    magnitude = excess - (1 << ESCAPE_ORDER) + largest + 1
    if magnitude > LARGEST_MAGNITUDE:
        raise CorruptBitstream("an escaped symbol is larger than the format allows")
    return -magnitude if decoder.decode(BIT) else magnitude


def code_length_bits(symbols: Integers, row: int) -> float:
    """Ideal code length of `symbols` under a row, in bits; escapes are counted exactly."""
    table = rows()[row]
    magnitudes = np.abs(symbols)
    escaped = symbols[magnitudes > table.largest]
    indices = np.where(magnitudes > table.largest, 2 * table.largest + 1, symbols + table.largest)
    extra = sum(len(_escape_bits(int(value), table.largest)) for value in escaped)
    return float(table.cost_bits()[indices].sum()) + extra


def cheapest_row(symbols: Integers) -> int:
    """The row with the shortest code for `symbols`."""
    return min(range(len(rows())), key=lambda row: code_length_bits(symbols, row))
