"""The file format. This text is its only specification of bytes.

What the numbers mean is defined by the modules that compute with them. These are normative: a
change in them that changes what a file decodes to is a change of the format.
    both profiles   `entropy.tables` and `range_coder`; `basis.prng`, `signs`, `permutation`, `hash`
                    and `dense`; `pranc.layers` (how coefficients become weights)
    mlp             `basis.allocation.apportion`; `mlp.coordinate_network` (the network,
                    `seeded_prior`, `scales`); `mlp.prior`
    grid, exact     `entropy.mixture_coder`; `grid.context_int`, `context_int_net` and `blocks` (the
                    context model); `grid.wavelet` and `lifting` on integers; `grid.latent_stream`;
                    the trained weights in `grid/priors`
    grid, pixels    `grid.wavelet` and `lifting` on real numbers; `grid.reconstruct`, `enhancement`,
                    `opponent` and `decode`
Coefficients and latents are the same integers on every machine. Pixels may differ by one level of
8 bits, because they are computed in floating point.

Versions
    version     first release   introduced              difference from the next version
    1           0.1.0           all of this text        (it is the newest)

Conventions
    Integers are unsigned and little-endian. `varint` is LEB128: seven bits per byte, lowest first,
    the top bit set on all bytes but the last; at most five bytes, value below 2**32, and never
    longer than needed. CRC is CRC-32 (zlib, as in PNG). "Illegal" means that a decoder must
    refuse the file. Magnitudes, counts and sizes are checked against the reader's `Limits` before
    anything is allocated.

    file := signature header section{sections}          nothing may follow

Signature, 8 bytes
    89 50 52 4E 0D 0A 1A 0A     like PNG's: a byte with its high bit set, "PRN", and line ends,
                                which a transfer in text mode would damage

Header
    version     u8      1. Another value means another format from here on.
    profile     u8      1 = mlp, 2 = grid. Others are illegal.
    mode        u8      bits 0-1: channels - 1 (L, LA, RGB, RGBA)
                        bits 2-3: samples, 0 = uint8, 1 = uint16, 2 = float32 (3 is illegal;
                        float32 with alpha is illegal); bits 4-7: 0
    width       varint  1 .. 2**31 - 1, pixels
    height      varint  1 .. 2**31 - 1
    seed        varint  key of every pseudo-random number of the file (`basis.prng`)
    sections    u8      number of sections
    parameters          of the profile (below)
    crc         u32     of all bytes before it, signature included

Parameters of the mlp profile
    weights     u8      bit 0: basis, 0 = hash, 1 = dense
                        bits 1-7: prior, 0 = initialization from the seed, n = the n-th shipped
                        prior (`mlp.prior`)
    features    varint  Fourier features, 1 .. 65535
    bandwidth   u8      largest frequency of the features, 2**(bandwidth / 16) radians, 1 .. 255
    width       varint  channels of a sine layer, 1 .. 65535
    depth       u8      sine layers, 1 .. 32
    k           varint  coefficients of all layers, from depth + 1 to the number of weights;
                        `apportion` derives each layer's share from it
    per layer, depth + 1 times (the last is the linear output layer):
        q_step  u8      coefficients = symbols * 2**(2 - q_step / 16)
        row     u8      row of `entropy.tables` under which the symbols are coded, 0 .. 89

Parameters of the grid profile (width and height are at most 65535)
    prior       u32     first four bytes of the SHA-256 of the prior's file (`grid.prior`)
    q_step      varint  quantization step 2**(q_step / 64 - 16) in units of samples in [0, 1];
                        384 .. 1280, that is a step of 2**-10 .. 2**4
    rows        u8 per colour (1 or 3): row of `entropy.tables` of the approximation's symbols,
                        0 .. 89
    k           varint  coefficients of the enhancement network's biases, hash basis, 0 .. the
                        number of biases; if it is not 0, there follow, as for a layer of the mlp
                        profile:
        q_step  u8
        row     u8

Section
    id          u8      listed below; strictly rising, so each id occurs at most once
    length      varint  bytes of the payload
    crc         u32     of the payload
    payload

    id   1  symbols     The coefficients' symbols, layer by layer, as one range-coded stream of
                        32-bit words (`range_coder`), without its trailing zero bytes. Only the
                        bytes that the encoder writes for these symbols are legal.
                        mlp: required. grid: required if k is not 0, else illegal.
    id   2  latents     grid: required; mlp: illegal. One range-coded stream as above. The coarsest
                        approximation comes first, colour by colour, row by row from the top: each
                        symbol minus its left neighbour, the first of a row minus the one above.
                        The bands follow, as described below. A symbol beyond +-(2**24 - 1) is
                        illegal, and so are a zero byte at the end and bytes beyond those that the
                        range decoder reads ahead.
    id  16  alpha       Required if the mode has alpha, else illegal: rows from the top, each
                        sample minus the sample above it (first row: unchanged) modulo 2**8 or
                        2**16, big-endian, compressed with zlib.
    id  32  ICC profile, id 33 EXIF, id 34 XMP: unchanged, compressed with zlib.
    Other ids are illegal in version 1.

A proper prefix of a file is never a valid file: the number of sections and their lengths show that
it is truncated. A prefix that holds all of `symbols` and enough of `latents` suffices to decode the
coarser levels: a range decoder has read at most one word more than an encoder would have written if
the stream ended there (`grid.latent_stream`).

Bands (grid)
    Levels are coded from coarse to fine. Within a level the colours 0, 1, 2 are coded in this
    order. Within a colour, four phases are coded, which are the positions (row, column) = (0, 0),
    (1, 1), (0, 1), (1, 0) in the grid's 2x2 cells. A phase holds the symbols of three bands,
    horizontal, vertical, diagonal, each row by row; positions that an odd size leaves without a
    coefficient are skipped (`wavelet`). One run of the context model gives the distributions of a
    phase, and `mixture_coder` codes its symbols. In a grey image, colours 1 and 2 are not coded and
    count as zero.

Inputs of the context model, in the order of the input channels in the prior's file. Each is a map
on the grid of cells. "Both" means: first the logarithms of the magnitudes (`context_int`) with the
sign, for all maps of the entry, then the same without the sign. Coarser levels that do not exist,
and cells outside the image, are zero.
    24 for each earlier colour      its bands on this level, both, band by band; for each band the
                                    four phases 2 * row + column = 0, 1, 2, 3
    3                               16 inside the image; the quantization step as (256 + s) >> 2,
                                    where s is 64 log2 of the step; 16 * (n - 4), where n is the
                                    level, counted from 0 for the finest
    18                              parents: the next coarser level, both, colour by colour, band
                                    by band
    6                               grandparents: the level above the parents, this colour, both,
                                    each sample twice in both directions
    32                              this colour's approximation, as the coarser levels give it, with
                                    six fraction bits, both: first difference across, first down,
                                    second across, second down; for each the four phases
    24                              this colour's bands on this level, in the order of the earlier
                                    colours; phases that are not yet coded are not used
Its outputs are location, scale and shape for the horizontal, the vertical and the diagonal band.

Example of the grid profile, 41 bytes: grey, 8x4 pixels, one level
    89 50 52 4E 0D 0A 1A 0A     signature
    01 02 00                    version 1, profile grid, mode L of uint8
    08 04 00 01                 8 pixels wide, 4 high, seed 0, one section
    F4 E3 93 84                 prior 8493E3F4
    80 06 10 00                 q_step 768, a step of 2**-4; approximation under row 16; k is 0
    DE C8 36 CE                 CRC of the 23 bytes above
    02 08 8F 39 B1 5E           section 2, latents: 8 bytes, their CRC
    F5 89 B6 DF A4 79 6D D3     eight symbols of the approximation, then four phases of six

Example of the mlp profile, 41 bytes: grey, 300x200 pixels, two layers
    89 50 52 4E 0D 0A 1A 0A     signature
    01 01 00                    version 1, profile mlp, mode L of uint8
    AC 02 C8 01 07 01           300 pixels wide, 200 high, seed 7, one section
    00 02 28 02 01 03           hash basis and seeded prior, 2 features up to 2**2.5 radians, 2
                                channels, 1 sine layer, k is 3: two for the sine layer, one for
                                the output layer
    44 08 44 0C                 both layers: steps of 2**-2.25; rows 8 and 12
    A6 3A 3D DD                 CRC of the 27 bytes above
    01 04 54 FF 1F 32           section 1, symbols: 4 bytes, their CRC
    C8 1D 74 D9                 1 and 0 under row 8, -2 under row 12
"""

import zlib
from collections.abc import Callable, Mapping
from typing import Final

from pranc_codec.errors import InvalidArgument, UnsupportedVersion
from pranc_codec.format.fields import Reader, check_signature, pack_varint
from pranc_codec.format.header import CHANNELS, VERSION, Header
from pranc_codec.format.parameters import FORMATS, check

__all__ = ["CHANNELS", "SIGNATURE", "VERSION", "Header", "pack_header", "unpack_header"]

SIGNATURE: Final = b"\x89PRN\r\n\x1a\n"
PROFILES: Final = {1: "mlp", 2: "grid"}
SAMPLES: Final = ("uint8", "uint16", "float32")
LARGEST_SIDE: Final = 2**31 - 1
SYMBOLS: Final = 1
LATENTS: Final = 2
ALPHA: Final = 16
METADATA: Final = {"icc_profile": 32, "exif": 33, "xmp": 34}
SECTION_NAMES: Final = {SYMBOLS: "symbols", LATENTS: "latents", ALPHA: "alpha"} | {
    number: name for name, number in METADATA.items()
}


def pack_header(header: Header) -> bytes:
    """Return the signature, the header and its checksum; `unpack_header` is the inverse.

    Raises InvalidArgument if a side is out of range, or if the header's version is not `VERSION`:
    older versions are read but not written.
    """
    if header.version != VERSION:
        raise InvalidArgument(
            f"format version {header.version} is not written any more: use {VERSION}"
        )
    if not (1 <= header.width <= LARGEST_SIDE and 1 <= header.height <= LARGEST_SIDE):
        raise InvalidArgument(
            f"the image has {header.width}x{header.height} pixels: each side must be "
            f"1 .. {LARGEST_SIDE}"
        )
    mode = CHANNELS[header.mode] - 1 | SAMPLES.index(header.samples) << 2
    profile = next(number for number, name in PROFILES.items() if name == header.profile)
    out = SIGNATURE + bytes([header.version, profile, mode])
    out += pack_varint(header.width) + pack_varint(header.height) + pack_varint(header.seed)
    out += bytes([header.sections])
    out += FORMATS[header.profile].pack(header.parameters)
    return out + zlib.crc32(out).to_bytes(4, "little")


def unpack_header(data: bytes) -> Header:
    """Read and check the signature and the header of a file. Its sections may be missing.

    Raises NotPranc for the bytes of another format, UnsupportedVersion if the version or the
    profile is unknown, TruncatedBitstream if the header is not complete, and CorruptBitstream if
    its checksum or one of its fields is wrong.
    """
    check_signature(data, SIGNATURE, "a .pranc file")
    reader = Reader(data)
    reader.take(len(SIGNATURE))
    version = reader.u8()
    if version not in READERS:
        known = ", ".join(str(number) for number in READERS)
        raise UnsupportedVersion(
            f"the file has format version {version}, but this release reads version {known}: "
            "upgrade pranc_codec"
        )
    return READERS[version](reader)


def _unpack_version_1(reader: Reader) -> Header:
    """Read the rest of a header, which begins with the profile."""
    profile, mode = reader.u8(), reader.u8()
    if profile not in PROFILES:
        raise UnsupportedVersion(
            f"profile {profile} is unknown to this release: upgrade pranc_codec"
        )
    width, height, seed = reader.varint(), reader.varint(), reader.varint()
    sections, samples, channels = reader.u8(), mode >> 2, mode & 3
    format_of_parameters = FORMATS[PROFILES[profile]]
    parameters = format_of_parameters.unpack(reader, 1 if channels < 2 else 3)
    reader.check_crc()
    format_of_parameters.check(parameters)
    check(samples < len(SAMPLES) and not (samples == 2 and channels & 1), "mode", mode)
    check(1 <= width <= LARGEST_SIDE, "width", width)
    check(1 <= height <= LARGEST_SIDE, "height", height)
    return Header(
        version=1, profile=PROFILES[profile], mode=list(CHANNELS)[channels],
        samples=SAMPLES[samples], width=width, height=height, seed=seed, sections=sections,
        parameters=parameters, header_bytes=reader.position,
    )  # fmt: skip


READERS: Final[Mapping[int, Callable[[Reader], Header]]] = {1: _unpack_version_1}
"""Functions that read the rest of a header, by format version."""
