"""The file format of condensed models (.prw), version 1. This is its only specification of bytes.

A file says how to fill a module that the reader builds; it contains no architecture and no code.
These modules define what the numbers mean, and they are normative, too:

    format.bitstream        conventions of integers, varints, checksums and sections
    entropy.range_coder     how the symbols of the coefficients are coded; its rows are those of
                            `entropy.tables`
    basis                   the bases (`hash`, `dense`, `dct`); they use `basis.prng` (random
                            numbers), `basis.signs` and `basis.permutation`
    basis.allocation        how many coefficients each layer has
    pranc.layers            weights = prior + scale * basis @ coefficients: the numbers of layers,
                            their scales, and the prior that comes from the seed
    pranc.fingerprint       what the fingerprints of module and prior are computed from
    pranc.stored_tensors    the elements of tensors that are stored

Conventions
    As in `format.bitstream`: unsigned little-endian integers, varint, CRC-32; "illegal" means that
    a reader must refuse the file. The tensors of a module are its parameters in the order of
    `named_parameters`, then its persistent buffers in the order of `state_dict`. Layers are the
    modules that own parameters which are not excluded, in the order of `named_modules`.

    file := signature header section{sections}          nothing may follow

Signature, 8 bytes
    89 50 52 57 0D 0A 1A 0A     like PNG's: a byte with its high bit set, "PRW", and line ends,
                                which a transfer in text mode would damage

Header
    version     u8      1
    flags       u8      bits 0 and 4: basis, 00 = hash, 01 = dense (bit 0), 10 = dct (bit 4),
                        11 is illegal
                        bit 1: coefficients are float32 and not quantized
                        bit 2: a prior was given; without it the prior comes from the seed
                        bit 3: layers' shares of the coefficients, 0 = `allocation.apportion`,
                        1 = `allocation.apportion_by_roots`
                        bits 5-7: 0
    seed        varint  low 32 bits
                varint  high 32 bits
    tensors     varint  number of the module's tensors
    module      8 bytes fingerprint of the module and the scales that were given
    prior       8 bytes fingerprint of the prior; only if flag bit 2 is set
    k           varint  coefficients of all layers, from the number of layers to that of weights
    layers      varint  number of layers
    per layer, only if flag bit 1 is not set:
        step    u8      coefficients = symbols * 2**(2 - step / 16)
        row     u8      row of `entropy.tables` under which the symbols are coded, 0 .. 89
    sections    u8      number of sections
    crc         u32     of all bytes before it, signature included

Section: id, length, crc, payload as in `format.bitstream`
    id   1  coefficients    required. Quantized: the symbols, layer by layer, as one range-coded
                            stream of 32-bit words without its trailing zero bytes. Only the bytes
                            that the encoder writes for these symbols are legal. Not quantized:
                            k float32 numbers, all finite.
    id   2  tensors         required if any tensor is not generated, else illegal. zlib of
            kind  u8        for each tensor of the module:
                            0 = generated from coefficients (float32 parameters only)
                            1 = equal to the prior's tensor
                            2 = stored in its own type
                            3 = stored in float16 (floating-point types only)
            then the elements of tensors of kinds 2 and 3, in order, row-major

A file, byte by byte: Sequential(Linear(4, 3), BatchNorm1d(3)) with exclude=["1"], seed=7 and the
five coefficients 1, -0.5, 0, 2.5, 0, written with q_step=0.5.

    00  89 50 52 57 0D 0A 1A 0A     signature
    08  01                          version 1
    09  08                          flags: basis hash, quantized, no prior given, shares by roots
    0A  07 00                       seed 7
    0C  07                          7 tensors: weight and bias of both modules; mean, variance and
                                    number of batches of the normalization
    0D  5D FD A2 7C 81 95 06 13     fingerprint of the module
    15  05                          k: 5 coefficients
    16  01                          1 layer, the linear one
    17  30                          its step: 2**(2 - 48 / 16) = 0.5
    18  0F                          its row of the tables: 15
    19  02                          2 sections
    1A  28 28 7B 2A                 CRC-32 of bytes 00 .. 19
    1E  01                          section 1, coefficients
    1F  04                          4 bytes of payload
    20  AB 02 95 DE                 their CRC-32
    24  43 E1 C5 D2                 the symbols 2, -1, 0, 5, 0, range-coded
    28  02                          section 2, tensors
    29  14                          20 bytes of payload
    2A  6B 0B CB CB                 their CRC-32
    2E  78 DA 63 60 60 06 02 26     zlib of the kinds 0, 0, 3, 3, 3, 3, 2, of twelve float16
        06 1B 30 44 06 28 22 00     (weight 1, bias 0, mean 0, variance 1 of three channels) and of
        1E 33 01 77                 the number of batches, an int64 of 0
"""

import zlib
from dataclasses import dataclass, field
from typing import Final

from pranc_codec.entropy.tables import ROWS
from pranc_codec.errors import CorruptBitstream, UnsupportedVersion
from pranc_codec.format.fields import Reader, check_signature, pack_varint
from pranc_codec.format.parameters import LayerCode, check
from pranc_codec.format.sections import take_sections

SIGNATURE: Final = b"\x89PRW\r\n\x1a\n"
VERSION: Final = 1
FINGERPRINT_BYTES: Final = 8
BASES: Final = {"hash": 0, "dense": 1, "dct": 16}
BASIS_BITS: Final = 17
"""The flag bits that name the basis."""
FLOAT32: Final = 2
HAS_PRIOR: Final = 4
BY_ROOTS: Final = 8
COEFFICIENTS: Final = 1
TENSORS: Final = 2
SECTION_NAMES: Final = {COEFFICIENTS: "coefficients", TENSORS: "tensors"}


@dataclass(frozen=True, kw_only=True)
class ModelHeader:
    """Everything that precedes the sections of a file.

    basis: one of `BASES`. shares: "weights" or "roots". tensors: number of the module's tensors.
    module: its fingerprint. prior: its fingerprint, or None if it comes from the seed. k: number of
    coefficients. codes: how the symbols of each layer are coded; empty if the coefficients are
    float32. header_bytes: size of signature and header, set by `unpack_header`.
    """

    basis: str
    shares: str
    seed: int
    tensors: int
    module: bytes
    prior: bytes | None
    k: int
    layers: int
    codes: tuple[LayerCode, ...]
    sections: int
    header_bytes: int = field(default=0, compare=False)


def pack_header(header: ModelHeader) -> bytes:
    """Return the signature, the header and its checksum; `unpack_header` is the inverse."""
    h = header
    flags = BASES[h.basis] | (not h.codes) * FLOAT32 | (h.prior is not None) * HAS_PRIOR
    flags |= (h.shares == "roots") * BY_ROOTS
    out = SIGNATURE + bytes([VERSION, flags])
    out += pack_varint(h.seed & 0xFFFFFFFF) + pack_varint(h.seed >> 32)
    out += pack_varint(h.tensors) + h.module + (h.prior or b"")
    out += pack_varint(h.k) + pack_varint(h.layers)
    out += b"".join(bytes([code.q_step_code, code.row]) for code in h.codes)
    out += bytes([h.sections])
    return out + zlib.crc32(out).to_bytes(4, "little")


def unpack_header(data: bytes) -> ModelHeader:
    """Read and check signature and header. The bytes may end after them.

    Raises BitstreamError for bytes that `pack_header` does not write.
    """
    check_signature(data, SIGNATURE, "a condensed model")
    reader = Reader(data)
    reader.take(len(SIGNATURE))
    version = reader.u8()
    if version != VERSION:
        raise UnsupportedVersion(
            f"the file has format version {version}, this release reads {VERSION}: "
            "upgrade pranc_codec"
        )
    flags = reader.u8()
    bases = [name for name, bits in BASES.items() if flags & BASIS_BITS == bits]
    check(flags < 32 and bool(bases), "flags", flags)
    seed = reader.varint() | reader.varint() << 32
    tensors, module = reader.varint(), reader.take(FINGERPRINT_BYTES)
    prior = reader.take(FINGERPRINT_BYTES) if flags & HAS_PRIOR else None
    k, layers = reader.varint(), reader.varint()
    codes = () if flags & FLOAT32 else _unpack_codes(reader, layers)
    sections = reader.u8()
    reader.check_crc()
    check(1 <= layers <= k, "number of layers", layers)
    for code in codes:
        check(code.row < ROWS, "table row", code.row)
    return ModelHeader(
        basis=bases[0], shares="roots" if flags & BY_ROOTS else "weights", seed=seed,
        tensors=tensors, module=module, prior=prior, k=k, layers=layers, codes=codes,
        sections=sections, header_bytes=reader.position,
    )  # fmt: skip


def unpack_sections(data: bytes, header: ModelHeader) -> dict[int, bytes]:
    """Return the payloads of a complete file by section id, after verifying their checksums."""
    sections = take_sections(data, header.header_bytes, header.sections, SECTION_NAMES)
    if COEFFICIENTS not in sections:
        raise CorruptBitstream("section 'coefficients' is missing")
    return sections


def _unpack_codes(reader: Reader, layers: int) -> tuple[LayerCode, ...]:
    raw = reader.take(2 * layers)
    return tuple(LayerCode(q_step_code=s, row=r) for s, r in zip(raw[::2], raw[1::2], strict=True))
