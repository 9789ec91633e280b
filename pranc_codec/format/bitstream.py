"""The file format, version 1. This is its only specification of bytes; what the numbers mean
is defined where it is computed: of the mlp profile in `basis`, `shares.apportion`,
`coordinate.seeded_prior` and `coordinate.scales`; of the grid profile in `grid` (which lists the
others); the coder and its tables in `entropy` and `tables`.

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
    profile     u8      1 = mlp, 2 = grid. Others are illegal.
    mode        u8      bits 0-1: channels - 1 (L, LA, RGB, RGBA)
                        bits 2-3: samples, 0 = uint8, 1 = uint16, 2 = float32 (3 is illegal;
                        float32 with alpha is illegal); bits 4-7: 0
    width       varint  1 .. 2**31 - 1, pixels
    height      varint  1 .. 2**31 - 1
    seed        varint  key of every pseudo-random number of the file (`prng`)
    sections    u8      number of sections
    parameters          of the profile (below)
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
                        layers' shares follow from it (`shares.apportion`)
    per layer, depth + 1 times (the last is the linear output layer):
        step    u8      coefficients = symbols * 2**(2 - step / 16)
        row     u8      row of `tables` under which the symbols are coded, 0 .. 89

Parameters of the grid profile (width and height at most 65535)
    prior       u32     first four bytes of the SHA-256 of the prior's file (`priors`), as a number
    step        varint  quantization step 2**(step / 64 - 16) in units of samples in [0, 1];
                        step 384 .. 1280, that is 2**-10 .. 2**4
    rows        u8 per colour (1 or 3): row of `tables` of the low band's symbols, 0 .. 89
    k           varint  coefficients of the residual network's offsets (`synthesis`), hash basis,
                        0 .. the number of offsets; where it is not 0, there follow, as for a layer
                        of the mlp profile:
        step    u8
        row     u8

Section
    id          u8      below; strictly rising, so that each stands at most once
    length      varint  bytes of the payload
    crc         u32     of the payload
    payload

    id   1  symbols     the coefficients' symbols, layer by layer, one range-coded stream
                        (`entropy`). 32-bit words, zero bytes at the end left out.
                        Bytes that coding the same symbols again does not give are illegal.
                        mlp: required. grid: required where k is not 0, else illegal.
    id   2  latents     grid: required; mlp: illegal. One range-coded stream, zero bytes at the end
                        left out. The low band colour by colour, row by row from the top: each
                        symbol minus its left neighbour, the first of a row minus the one above.
                        Then the bands (`exact.code_bands`), each step as `latents` says. A symbol
                        beyond +-(2**24 - 1) is illegal, and so are a zero byte at the end and
                        bytes beyond what the range decoder reads ahead.
    id  16  alpha       required where the mode has alpha, else illegal: rows from the top, each
                        sample minus the sample above it (first row: as it is) modulo 2**8 or
                        2**16, big-endian, then zlib
    id  32  ICC profile, id 33 EXIF, id 34 XMP: as they were, then zlib
    Other ids are illegal in version 1.

A prefix of a file is never a file: the count of sections and their lengths tell a truncated one.
One that holds `symbols` whole and enough of `latents` shows the coarser levels to who asks for no
more: a range decoder reads at most one word more than an encoder would have written if the stream
ended there (`grid_latents.Held`).
"""

import zlib
from dataclasses import dataclass, field
from typing import Final

from pranc_codec.errors import CorruptBitstream, InvalidArgument, UnsupportedVersion
from pranc_codec.format.fields import Reader, check_signature, pack_varint
from pranc_codec.format.parameters import (
    GridParameters,
    MlpParameters,
    Parameters,
    check,
    check_grid,
    check_mlp,
    pack_grid,
    pack_mlp,
    unpack_grid,
    unpack_mlp,
)

SIGNATURE: Final = b"\x89PRN\r\n\x1a\n"
VERSION: Final = 1
PROFILES: Final = {1: "mlp", 2: "grid"}
CHANNELS: Final = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
SAMPLES: Final = ("uint8", "uint16", "float32")
LARGEST_SIDE: Final = 2**31 - 1
SYMBOLS: Final = 1
LATENTS: Final = 2
ALPHA: Final = 16
METADATA: Final = {"icc_profile": 32, "exif": 33, "xmp": 34}
SECTION_NAMES: Final = {SYMBOLS: "symbols", LATENTS: "latents", ALPHA: "alpha"} | {
    number: name for name, number in METADATA.items()
}


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
    parameters: Parameters
    header_bytes: int = field(default=0, compare=False)

    @property
    def colours(self) -> int:
        """Channels without alpha: 1 or 3."""
        return CHANNELS[self.mode] - self.has_alpha

    @property
    def has_alpha(self) -> bool:
        return self.mode in ("LA", "RGBA")

    @property
    def has_symbols(self) -> bool:
        """Whether there are coefficients: always in the mlp profile."""
        return self.parameters.k > 0

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def mlp(self) -> MlpParameters:
        """Parameters of an mlp file."""
        assert isinstance(self.parameters, MlpParameters)
        return self.parameters

    @property
    def grid(self) -> GridParameters:
        """Parameters of a grid file."""
        assert isinstance(self.parameters, GridParameters)
        return self.parameters


def pack_header(header: Header) -> bytes:
    """Signature, header and its checksum; `unpack_header` is the inverse."""
    if not (1 <= header.width <= LARGEST_SIDE and 1 <= header.height <= LARGEST_SIDE):
        raise InvalidArgument(f"size {header.width}x{header.height} is not 1 .. 2**31 - 1 a side")
    mode = CHANNELS[header.mode] - 1 | SAMPLES.index(header.samples) << 2
    profile = next(number for number, name in PROFILES.items() if name == header.profile)
    out = SIGNATURE + bytes([VERSION, profile, mode])
    out += pack_varint(header.width) + pack_varint(header.height) + pack_varint(header.seed)
    out += bytes([header.sections])
    out += pack_mlp(header.mlp) if header.profile == "mlp" else pack_grid(header.grid)
    return out + zlib.crc32(out).to_bytes(4, "little")


def unpack_header(data: bytes) -> Header:
    """Read and check signature and header of a file (sections may be missing)."""
    reader = Reader(data)
    check_signature(data, SIGNATURE, "a .pranc file")
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
    sections, samples, channels = reader.u8(), mode >> 2, mode & 3
    parameters = _unpack_parameters(reader, PROFILES[profile], 1 if channels < 2 else 3)
    computed = zlib.crc32(data[: reader.position])
    if reader.u32() != computed:
        raise CorruptBitstream("the header's checksum is wrong: the file is damaged")
    _check_parameters(parameters)
    check(samples < len(SAMPLES) and not (samples == 2 and channels & 1), "mode", mode)
    check(1 <= width <= LARGEST_SIDE, "width", width)
    check(1 <= height <= LARGEST_SIDE, "height", height)
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


def _unpack_parameters(reader: Reader, profile: str, colours: int) -> Parameters:
    return unpack_mlp(reader) if profile == "mlp" else unpack_grid(reader, colours)


def _check_parameters(parameters: Parameters) -> None:
    if isinstance(parameters, MlpParameters):
        check_mlp(parameters)
    else:
        check_grid(parameters)
