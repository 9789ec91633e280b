"""The file format of condensed models, version 1. This is its only specification of bytes; what
the numbers mean is defined where it is computed: coefficients and weights in `basis` and
`layers`, the range coder and its tables in `entropy` and `tables`.

The file says how to fill a module that the reader builds; it holds no architecture and no code.

Conventions
    As in `bitstream`: unsigned little-endian integers, varint, CRC-32; "illegal" means that a
    reader must refuse the file. The tensors of a module are its parameters in the order of
    `named_parameters`, then its persistent buffers in the order of `state_dict`. Layers are the
    modules that own parameters which are not excluded, in the order of `named_modules`.

    file := signature header section{sections}          nothing may follow

Signature, 8 bytes
    89 50 52 57 0D 0A 1A 0A     as PNG's: a high bit, "PRW", and line ends that text modes damage

Header
    version     u8      1
    flags       u8      bits 0 and 4: basis, 00 = hash, 01 = dense, 10 = dct, 11 illegal (`basis`)
                        bit 1: coefficients are float32 and not quantized
                        bit 2: a prior was given; without, it comes from the seed
                        bit 3: layers' shares of the coefficients: 0 = `shares.apportion`,
                        1 = `shares.apportion_by_roots`
                        bits 5-7: 0
    seed        varint  low 32 bits
                varint  high 32 bits
    tensors     varint  number of the module's tensors
    module      8 bytes fingerprint of the module (below)
    prior       8 bytes fingerprint of the prior; where flag bit 2 is set
    k           varint  coefficients of all layers; their shares follow (`shares`)
    layers      varint  number of layers
    per layer, where flag bit 1 is not set:
        step    u8      coefficients = symbols * 2**(2 - step / 16)
        row     u8      row of `tables` under which the symbols are coded, 0 .. 89
    sections    u8      number of sections
    crc         u32     of all bytes before it, signature included

Section: id, length, crc, payload as in `bitstream`
    id   1  coefficients    required. Quantized: the symbols, layer by layer, one range-coded
                            stream (`entropy`); bytes that coding the same symbols again does not
                            give are illegal. Else k float32, all finite.
    id   2  tensors         required where a tensor is not generated, else illegal. zlib of
            kind  u8        for each tensor of the module:
                            0 = generated from coefficients (parameters only)
                            1 = as in the prior
                            2 = follows in its own type
                            3 = follows in float16 (of floating-point types only)
            then the elements of tensors of kinds 2 and 3, in order, row-major

Fingerprints: the first 8 bytes of a SHA-256 of UTF-8 text and raw bytes, `fingerprint`.
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
FLOAT32: Final = 2
HAS_PRIOR: Final = 4
BY_ROOTS: Final = 8
COEFFICIENTS: Final = 1
TENSORS: Final = 2
SECTION_NAMES: Final = {COEFFICIENTS: "coefficients", TENSORS: "tensors"}


@dataclass(frozen=True, kw_only=True)
class ModelHeader:
    """Everything that a file says before its sections.

    prior: its fingerprint, None where it comes from the seed. codes: of each layer's symbols,
    empty where the coefficients are float32.
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
    """Signature, header and its checksum; `unpack_header` is the inverse."""
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
    """Read and check signature and header (sections may be missing)."""
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
    computed = zlib.crc32(data[: reader.position])
    if reader.u32() != computed:
        raise CorruptBitstream("the header's checksum is wrong: the file is damaged")
    check(1 <= layers <= k, "number of layers", layers)
    for code in codes:
        check(code.row < ROWS, "table row", code.row)
    return ModelHeader(
        basis=bases[0], shares="roots" if flags & BY_ROOTS else "weights", seed=seed,
        tensors=tensors, module=module, prior=prior, k=k, layers=layers, codes=codes,
        sections=sections, header_bytes=reader.position,
    )  # fmt: skip


def unpack_sections(data: bytes, header: ModelHeader) -> dict[int, bytes]:
    """All sections of a whole file, checksums verified."""
    sections = take_sections(data, header.header_bytes, header.sections, SECTION_NAMES)
    if COEFFICIENTS not in sections:
        raise CorruptBitstream("section 'coefficients' is missing")
    return sections


def _unpack_codes(reader: Reader, layers: int) -> tuple[LayerCode, ...]:
    raw = reader.take(2 * layers)
    return tuple(LayerCode(q_step_code=s, row=r) for s, r in zip(raw[::2], raw[1::2], strict=True))
