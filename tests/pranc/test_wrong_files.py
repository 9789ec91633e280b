"""No wrong byte, length or header of a condensed model gets through."""

import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st
from torch import nn

import pranc_codec
from pranc_codec import (
    BitstreamError,
    CorruptBitstream,
    LimitExceeded,
    Limits,
    NotPranc,
    Pranc,
    TruncatedBitstream,
    UnsupportedVersion,
)
from pranc_codec.pranc import file_format
from pranc_codec.pranc.module_tensors import tensors_of
from pranc_codec.pranc.stored_tensors import unpack_tensors
from tests.golden.check_model import FOLDER
from tests.pranc.condensed import DATA, build, condensed, parts, rewrite


def test_every_proper_prefix_is_truncated():
    for length in range(len(DATA)):
        with pytest.raises(TruncatedBitstream):
            Pranc.from_bytes(DATA[:length], build())


def test_every_flipped_bit_is_noticed():
    module = build()
    for position in range(8 * len(DATA)):
        damaged = bytearray(DATA)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(BitstreamError):
            Pranc.from_bytes(bytes(damaged), module)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_arbitrary_bytes(data):
    module = build()
    for text in (data, file_format.SIGNATURE + data, file_format.SIGNATURE + b"\1\0" + data):
        with pytest.raises(BitstreamError):
            Pranc.from_bytes(text, module)


def test_other_formats_and_versions():
    with pytest.raises(NotPranc, match="condensed model"):
        Pranc.from_bytes((FOLDER / "v1-rgba-metadata.pranc").read_bytes(), build())
    with pytest.raises(NotPranc):
        pranc_codec.decode(DATA)
    version = bytearray(DATA)
    version[8] = 2
    with pytest.raises(UnsupportedVersion, match="upgrade"):
        Pranc.from_bytes(bytes(version), build())
    with pytest.raises(CorruptBitstream, match="follow"):
        Pranc.from_bytes(DATA + b"\0", build())


@pytest.mark.parametrize(
    "changes",
    [
        dict(k=2**32 - 1),
        dict(k=1),
        dict(k=91),
        dict(codes=(*parts(DATA)[0].codes, *parts(DATA)[0].codes), layers=4),
        dict(codes=tuple(replace(code, row=90) for code in parts(DATA)[0].codes)),
        dict(sections=1),
        dict(sections=0),
        dict(codes=()),
    ],
)
def test_lying_headers(changes):
    with pytest.raises(BitstreamError):
        Pranc.from_bytes(rewrite(DATA, **changes), build())


@pytest.mark.parametrize("flags", [17, 32, 128])
def test_illegal_flags(flags):
    header_bytes = parts(DATA)[0].header_bytes - 4
    damaged = DATA[:9] + bytes([flags]) + DATA[10:header_bytes]
    damaged += zlib.crc32(damaged).to_bytes(4, "little") + DATA[header_bytes + 4 :]
    with pytest.raises(CorruptBitstream, match=f"flags.*{flags}|{flags}.*flags"):
        Pranc.from_bytes(damaged, build())


def test_a_lying_number_of_layers_reads_nothing():
    header = parts(DATA)[0]
    lie = file_format.pack_header(replace(header, layers=2**32 - 1, codes=header.codes))
    with pytest.raises(TruncatedBitstream):
        Pranc.from_bytes(lie, build())


@pytest.mark.parametrize(
    "tensors",
    [
        b"",
        b"no zlib",
        zlib.compress(b""),
        zlib.compress(bytes(10**6)),  # a bomb
        zlib.compress(bytes(9)),  # buffers cannot be generated
        zlib.compress(bytes([0, 0, 1, 1, 0, 0, 2, 2, 2])),  # there is no prior
        zlib.compress(bytes([0, 0, 2, 2, 0, 0, 2, 2, 2]) + bytes(32 * 4 + 7)),
        zlib.compress(bytes([0, 0, 2, 2, 0, 0, 2, 2, 3]) + bytes(32 * 4 + 2)),  # half an integer
        zlib.compress(bytes([0, 0, 4, 2, 0, 0, 2, 2, 2]) + bytes(32 * 4 + 8)),
        zlib.compress(bytes([2, 2, 2, 2, 2, 2, 2, 2, 2]) + bytes(4 * (224 + 32 + 1290) + 8)),
    ],
)
def test_lying_tensors(tensors):
    sections = {**parts(DATA)[1], file_format.TENSORS: tensors}
    with pytest.raises(BitstreamError):
        Pranc.from_bytes(rewrite(DATA, sections), build())


def test_lying_coefficients():
    exact = condensed().to_bytes(quantize=False)
    _, sections = parts(exact)
    for coded in (b"", sections[1][:-4], sections[1] + bytes(4), b"\0\0\xc0\x7f" * 90):
        with pytest.raises(CorruptBitstream):
            Pranc.from_bytes(rewrite(exact, {**sections, 1: coded}), build())
    padded = {**parts(DATA)[1], 1: parts(DATA)[1][1] + b"\1"}
    with pytest.raises(CorruptBitstream, match="not what an encoder writes"):
        Pranc.from_bytes(rewrite(DATA, padded), build())


def test_limits_of_dense_products():
    data = condensed(basis="dense").to_bytes()
    with pytest.raises(LimitExceeded, match="multiplications"):
        Pranc.from_bytes(data, build(), limits=Limits(max_macs=1000))


def test_half_parameters_are_never_generated():
    """A file that says so is damaged, whatever its checksums."""
    module = nn.Linear(3, 3)
    infos = tensors_of(module.half())
    payload = zlib.compress(bytes(len(infos)))
    with pytest.raises(CorruptBitstream, match="illegal kind 0"):
        unpack_tensors(payload, infos, {})
