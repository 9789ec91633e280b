"""Framing and checksums of a file's sections, as `bitstream` specifies them."""

import zlib
from collections.abc import Mapping

from pranc_codec.errors import CorruptBitstream, LimitExceeded, TruncatedBitstream
from pranc_codec.format.bitstream import ALPHA, LATENTS, SECTION_NAMES, SYMBOLS, Header
from pranc_codec.format.fields import Reader, pack_varint
from pranc_codec.format.parameters import FORMATS


def pack_sections(sections: Mapping[int, bytes]) -> bytes:
    """Pack sections in rising order of their ids; `unpack_sections` is the inverse.

    sections: payloads by id.
    """
    return b"".join(
        bytes([number])
        + pack_varint(len(payload))
        + zlib.crc32(payload).to_bytes(4, "little")
        + payload
        for number, payload in sorted(sections.items())
    )


def payload_start(sections: Mapping[int, bytes], header: Header, number: int) -> int:
    """Return the number of bytes of a file before the payload of section `number`."""
    before = {n: payload for n, payload in sections.items() if n < number}
    frame = pack_sections({number: sections[number]})
    return header.header_bytes + len(pack_sections(before)) + len(frame) - len(sections[number])


def unpack_prefix(data: bytes, header: Header) -> tuple[dict[int, bytes], bool]:
    """Return payloads by id of a grid file, or of a prefix that reaches into its latents.

    Also return whether the latents are complete. A prefix gives the symbols, if the file has any,
    and the part of the latents that it contains. Complete sections are verified as in
    `unpack_sections`.
    """
    try:
        return unpack_sections(data, header), True
    except TruncatedBitstream:
        reader = Reader(data)
        reader.take(header.header_bytes)
        sections = {}
        if header.has_symbols:
            sections[SYMBOLS] = take_section(reader, SYMBOLS - 1, SECTION_NAMES)[1]
        number, length, crc = reader.u8(), reader.varint(), reader.u32()
        if number != LATENTS:
            raise CorruptBitstream(f"section id {number} stands in place of the latents") from None
        sections[LATENTS] = reader.take(min(length, len(data) - reader.position))
        whole = len(sections[LATENTS]) == length
        if whole and zlib.crc32(sections[LATENTS]) != crc:
            raise CorruptBitstream("the checksum of section 'latents' is wrong") from None
        return sections, whole


def unpack_sections(data: bytes, header: Header) -> dict[int, bytes]:
    """Return the payloads of a complete file by id, after verifying their checksums.

    Raises TruncatedBitstream if the file ends too early, and CorruptBitstream for wrong checksums,
    for unknown, missing or superfluous sections, and for bytes after the last section.
    """
    sections = take_sections(data, header.header_bytes, header.sections, SECTION_NAMES)
    expected = {
        SYMBOLS: header.has_symbols,
        LATENTS: FORMATS[header.profile].has_latents,
        ALPHA: header.has_alpha,
    }
    for number, wanted in expected.items():
        if wanted != (number in sections):
            state = "is missing" if wanted else "has no place in this file"
            raise CorruptBitstream(f"section {SECTION_NAMES[number]!r} {state}")
    return sections


def take_sections(
    data: bytes, header_bytes: int, count: int, names: Mapping[int, str]
) -> dict[int, bytes]:
    """Return payloads by id of the `count` sections between a header and the end of a file.

    names: the legal ids and their names for error messages. Errors are those of `unpack_sections`.
    """
    reader = Reader(data)
    reader.take(header_bytes)
    sections: dict[int, bytes] = {}
    for _ in range(count):
        number, payload = take_section(reader, max(sections, default=0), names)
        sections[number] = payload
    if reader.position != len(data):
        raise CorruptBitstream(f"{len(data) - reader.position} bytes follow the end of the file")
    return sections


def take_section(reader: Reader, last: int, names: Mapping[int, str]) -> tuple[int, bytes]:
    """Return id and payload of the next section, after verifying its checksum.

    last: id of the previous section; any smaller number for the first. names: the legal ids and
    their names for error messages.
    """
    number, length, crc = reader.u8(), reader.varint(), reader.u32()
    if number not in names or number <= last:
        raise CorruptBitstream(f"section id {number} is unknown or out of order")
    payload = reader.take(length)
    if zlib.crc32(payload) != crc:
        raise CorruptBitstream(f"the checksum of section {names[number]!r} is wrong")
    return number, payload


def inflate(payload: bytes, limit: int, name: str) -> bytes:
    """Decompress a zlib stream to at most `limit` bytes.

    name: name of the section, for error messages. Raises LimitExceeded if there are more bytes,
    and CorruptBitstream if the payload is not exactly one complete stream.
    """
    decompressor = zlib.decompressobj()
    try:
        out = decompressor.decompress(payload, limit + 1)
    except zlib.error as error:
        raise CorruptBitstream(f"section {name!r} cannot be decompressed") from error
    if len(out) > limit:
        raise LimitExceeded(f"section {name!r} has more than the allowed {limit} bytes")
    if not decompressor.eof or decompressor.unused_data:
        raise CorruptBitstream(f"section {name!r} is not one whole zlib stream")
    return out
