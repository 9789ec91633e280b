"""Read and write the fields of a file: fixed-width integers and varints."""

import zlib

from pranc_codec.errors import CorruptBitstream, InvalidArgument, NotPranc, TruncatedBitstream


class Reader:
    """Reads fields from bytes, one after the other.

    Every method raises TruncatedBitstream if the bytes end before the field does.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        end = self.position + count
        if end > len(self.data):
            raise TruncatedBitstream(
                f"the file ends at byte {len(self.data)}, but byte {end} is still part of it"
            )
        out = self.data[self.position : end]
        self.position = end
        return out

    def u8(self) -> int:
        """Return the next byte as a number."""
        return self.take(1)[0]

    def u32(self) -> int:
        """Return the next four bytes as a little-endian number."""
        return int.from_bytes(self.take(4), "little")

    def check_crc(self) -> None:
        """Read a header's CRC-32, which must be that of all bytes before it.

        Raises CorruptBitstream if it is not.
        """
        computed = zlib.crc32(self.data[: self.position])
        if self.u32() != computed:
            raise CorruptBitstream("the header's checksum is wrong: the file is damaged")

    def varint(self) -> int:
        """Return the next varint; `pack_varint` is the inverse.

        Raises CorruptBitstream if it is 2**32 or more, or longer than needed.
        """
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift >= 35:
                raise CorruptBitstream("a varint is longer than five bytes")
        if value >> 32 or (byte == 0 and shift > 7):
            raise CorruptBitstream("a varint is out of range or longer than needed")
        return value


def pack_varint(value: int) -> bytes:
    """Pack a number below 2**32 as LEB128; `Reader.varint` is the inverse."""
    if not 0 <= value < 2**32:
        raise InvalidArgument(f"{value} does not fit a field of 0 .. 2**32 - 1")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def check_signature(data: bytes, signature: bytes, what: str) -> None:
    """Refuse bytes that do not begin with a format's signature.

    what: a name for a file of that format, for the error message. Raises NotPranc, or
    TruncatedBitstream if the bytes end inside the signature.
    """
    start = data[: len(signature)]
    if start == signature:
        return
    if signature.startswith(start):
        raise TruncatedBitstream(f"the file ends after {len(data)} bytes, inside its signature")
    raise NotPranc(f"these bytes are not {what}: the first eight are not its signature")
