"""The file format, version 1. This is its only specification of bytes; what the numbers mean
for the network's weights is defined where it is computed: `basis`, `pranc.apportion`,
`coordinate.seeded_prior` and `coordinate.scales`.

Conventions
    Integers are unsigned and little-endian. `varint` is LEB128: seven bits a byte, lowest first,
    the top bit set on all bytes but the last; at most five bytes, value below 2**32, and never
    longer than needed. CRC is CRC-32 (zlib, as in PNG). "Illegal" means that a decoder must
    refuse the file. Magnitudes, counts and sizes are checked against the reader's `Limits` before
    anything is allocated.

    file := signature header section{sections}          nothing may follow

Signature, 8 bytes
    89 50 52 4E 0D 0A 1A 0A     as PNG's: a high bit, "PRN", and line ends that text modes damage

Header
    version     u8      1
    profile     u8      1 = mlp. 2 is reserved for grid. Others are illegal.
    mode        u8      bits 0-1: channels - 1 (L, LA, RGB, RGBA)
                        bits 2-3: samples, 0 = uint8, 1 = uint16, 2 = float32 (3 is illegal;
                        float32 with alpha is illegal); bits 4-7: 0
    width       varint  1 .. 2**31 - 1, pixels
    height      varint  1 .. 2**31 - 1
    seed        varint  key of every pseudo-random number of the file (`prng`)
    sections    u8      number of sections
    parameters          of the profile (mlp: below)
    crc         u32     of all bytes before it, signature included

Parameters of the mlp profile
    weights     u8      bit 0: basis, 0 = hash, 1 = dense (`basis`)
                        bits 1-7: prior, 0 = initialization from the seed, n = the n-th shipped
                        prior (`priors`)
    features    varint  Fourier features, 1 .. 65535
    bandwidth   u8      largest frequency of the features, 2**(bandwidth / 16) radians, 1 .. 255
    width       varint  channels of a sine layer, 1 .. 65535
    depth       u8      sine layers, 1 .. 32
    k           varint  coefficients of all layers, from depth + 1 to the number of weights; the
                        layers' shares follow from it (`pranc.apportion`)
    per layer, depth + 1 times (the last is the linear output layer):
        step    u8      coefficients = symbols * 2**(2 - step / 16)
        row     u8      row of `tables` under which the symbols are coded, 0 .. 89

Section
    id          u8      below; strictly rising, so that each stands at most once
    length      varint  bytes of the payload
    crc         u32     of the payload
    payload

    id   1  symbols     the coefficients' symbols, layer by layer, one range-coded stream
                        (`entropy`); required. 32-bit words, zero bytes at the end left out.
                        Bytes that coding the same symbols again does not give are illegal.
    id   2              reserved for the grid profile's latents
    id  16  alpha       required where the mode has alpha, else illegal: rows from the top, each
                        sample minus the sample above it (first row: as it is) modulo 2**8 or
                        2**16, big-endian, then zlib
    id  32  ICC profile, id 33 EXIF, id 34 XMP: as they were, then zlib
    Other ids are illegal in version 1.

A prefix of a file is never a file: the count of sections and their lengths tell a truncated one.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pranc_codec.errors import (
    CorruptBitstream,
    InvalidArgument,
    LimitExceeded,
    NotPranc,
    TruncatedBitstream,
    UnsupportedVersion,
)
from pranc_codec.fields import Reader, pack_varint
from pranc_codec.tables import ROWS

SIGNATURE: Final = b"\x89PRN\r\n\x1a\n"
VERSION: Final = 1
PROFILES: Final = {1: "mlp"}
CHANNELS: Final = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
SAMPLES: Final = ("uint8", "uint16", "float32")
BASES: Final = ("hash", "dense")
LARGEST_SIDE: Final = 2**31 - 1
SYMBOLS: Final = 1
ALPHA: Final = 16
METADATA: Final = {"icc_profile": 32, "exif": 33, "xmp": 34}
SECTION_NAMES: Final = {SYMBOLS: "symbols", ALPHA: "alpha"} | {
    number: name for name, number in METADATA.items()
}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a decoder is willing to spend on one file, checked from the header alone."""

    max_pixels: int = 2**27
    max_weights: int = 2**22
    max_macs: int = 2**42
    max_metadata_bytes: int = 2**24


@dataclass(frozen=True, kw_only=True)
class LayerCode:
    """How one layer's symbols are coded: quantization step and row of the tables."""

    step_code: int
    row: int

    @property
    def step(self) -> float:
        """Quantization step in units of the layer's scale."""
        return step_of_code(self.step_code)


def step_of_code(code: int) -> float:
    """Step of the header's byte: 2**(2 - code / 16)."""
    return float(2.0 ** (2 - code / 16))


@dataclass(frozen=True, kw_only=True)
class MlpParameters:
    """The mlp profile's part of the header: the network and how its coefficients are coded."""

    prior: int
    basis: str
    features: int
    bandwidth: int
    width: int
    depth: int
    k: int
    layers: tuple[LayerCode, ...]


@dataclass(frozen=True, kw_only=True)
class Header:
    """Everything that a file says before its sections."""

    profile: str
    mode: str
    samples: str
    width: int
    height: int
    seed: int
    sections: int
    parameters: MlpParameters
    header_bytes: int = field(default=0, compare=False)

    @property
    def colours(self) -> int:
        """Channels without alpha: 1 or 3."""
        return CHANNELS[self.mode] - self.has_alpha

    @property
    def has_alpha(self) -> bool:
        return self.mode in ("LA", "RGBA")

    @property
    def pixels(self) -> int:
        return self.width * self.height


def pack_mlp(parameters: MlpParameters) -> bytes:
    """Parameters of the mlp profile as bytes; `unpack_mlp` is the inverse."""
    p = parameters
    out = bytes([BASES.index(p.basis) | p.prior << 1])
    out += pack_varint(p.features) + bytes([p.bandwidth])
    out += pack_varint(p.width) + bytes([p.depth]) + pack_varint(p.k)
    return out + b"".join(bytes([layer.step_code, layer.row]) for layer in p.layers)


def unpack_mlp(reader: Reader) -> MlpParameters:
    """Inverse of `pack_mlp`."""
    weights = reader.u8()
    features, bandwidth = reader.varint(), reader.u8()
    width, depth, k = reader.varint(), reader.u8(), reader.varint()
    layers = tuple(LayerCode(step_code=reader.u8(), row=reader.u8()) for _ in range(depth + 1))
    return MlpParameters(
        prior=weights >> 1,
        basis=BASES[weights & 1],
        features=features,
        bandwidth=bandwidth,
        width=width,
        depth=depth,
        k=k,
        layers=layers,
    )


def check_mlp(p: MlpParameters) -> None:
    """Refuse illegal values."""
    _check(1 <= p.features < 65536, "features", p.features)
    _check(p.bandwidth >= 1, "bandwidth", p.bandwidth)
    _check(1 <= p.width < 65536, "network width", p.width)
    _check(1 <= p.depth <= 32, "depth", p.depth)
    largest_row = max(layer.row for layer in p.layers)
    _check(largest_row < ROWS, "table row", largest_row)


def pack_header(header: Header) -> bytes:
    """Signature, header and its checksum; `unpack_header` is the inverse."""
    if not (1 <= header.width <= LARGEST_SIDE and 1 <= header.height <= LARGEST_SIDE):
        raise InvalidArgument(f"size {header.width}x{header.height} is not 1 .. 2**31 - 1 a side")
    mode = CHANNELS[header.mode] - 1 | SAMPLES.index(header.samples) << 2
    out = SIGNATURE + bytes([VERSION, 1, mode])
    out += pack_varint(header.width) + pack_varint(header.height) + pack_varint(header.seed)
    out += bytes([header.sections]) + pack_mlp(header.parameters)
    return out + zlib.crc32(out).to_bytes(4, "little")


def unpack_header(data: bytes) -> Header:
    """Read and check signature and header of a file (sections may be missing)."""
    reader = Reader(data)
    _check_signature(data)
    reader.take(len(SIGNATURE))
    version, profile, mode = reader.u8(), reader.u8(), reader.u8()
    if version != VERSION:
        raise UnsupportedVersion(
            f"the file has format version {version}, this release reads {VERSION}: "
            "upgrade pranc_codec"
        )
    if profile not in PROFILES:
        raise UnsupportedVersion(f"profile {profile} is unknown to this release: upgrade it")
    width, height, seed = reader.varint(), reader.varint(), reader.varint()
    sections, parameters = reader.u8(), unpack_mlp(reader)
    computed = zlib.crc32(data[: reader.position])
    if reader.u32() != computed:
        raise CorruptBitstream("the header's checksum is wrong: the file is damaged")
    check_mlp(parameters)
    samples, channels = mode >> 2, mode & 3
    _check(samples < len(SAMPLES) and not (samples == 2 and channels & 1), "mode", mode)
    _check(1 <= width <= LARGEST_SIDE, "width", width)
    _check(1 <= height <= LARGEST_SIDE, "height", height)
    return Header(
        profile=PROFILES[profile],
        mode=list(CHANNELS)[channels],
        samples=SAMPLES[samples],
        width=width,
        height=height,
        seed=seed,
        sections=sections,
        parameters=parameters,
        header_bytes=reader.position,
    )


def _check_signature(data: bytes) -> None:
    start = data[: len(SIGNATURE)]
    if start == SIGNATURE:
        return
    if SIGNATURE.startswith(start):
        raise TruncatedBitstream(f"the file ends after {len(data)} bytes, inside its signature")
    raise NotPranc("these bytes are not a .pranc file: the first eight are not its signature")


def _check(legal: bool, name: str, value: int) -> None:
    if not legal:
        raise CorruptBitstream(f"the header's {name} has the illegal value {value}")


def pack_sections(sections: Mapping[int, bytes]) -> bytes:
    """Sections in rising order of their ids; `unpack_sections` is the inverse."""
    return b"".join(
        bytes([number])
        + pack_varint(len(payload))
        + zlib.crc32(payload).to_bytes(4, "little")
        + payload
        for number, payload in sorted(sections.items())
    )


def unpack_sections(data: bytes, header: Header) -> dict[int, bytes]:
    """All sections of a whole file, checksums verified."""
    reader = Reader(data)
    reader.take(header.header_bytes)
    sections: dict[int, bytes] = {}
    for _ in range(header.sections):
        number, length, crc = reader.u8(), reader.varint(), reader.u32()
        if number not in SECTION_NAMES or any(number <= other for other in sections):
            raise CorruptBitstream(f"section id {number} is unknown or out of order")
        payload = reader.take(length)
        if zlib.crc32(payload) != crc:
            raise CorruptBitstream(f"the checksum of section {SECTION_NAMES[number]!r} is wrong")
        sections[number] = payload
    if reader.position != len(data):
        raise CorruptBitstream(f"{len(data) - reader.position} bytes follow the end of the file")
    if SYMBOLS not in sections or (ALPHA in sections) != header.has_alpha:
        raise CorruptBitstream("a required section is missing, or alpha stands without its mode")
    return sections


def inflate(payload: bytes, limit: int, name: str) -> bytes:
    """Undo zlib, to at most `limit` bytes."""
    decompressor = zlib.decompressobj()
    try:
        out = decompressor.decompress(payload, limit + 1)
    except zlib.error as error:
        raise CorruptBitstream(f"section {name!r} cannot be decompressed") from error
    if len(out) > limit:
        raise LimitExceeded(f"section {name!r} is larger than the allowed {limit} bytes")
    if not decompressor.eof or decompressor.unused_data:
        raise CorruptBitstream(f"section {name!r} is not one whole zlib stream")
    return out
