"""The container: headers round trip, and no wrong byte gets through."""

import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

import pranc_codec
from pranc_codec import decoder
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.format.fields import Reader, pack_varint
from pranc_codec.format.parameters import BASES, GridParameters, LayerCode, MlpParameters
from pranc_codec.format.sections import inflate, pack_sections
from pranc_codec.limits import Limits
from tests.damage import flipped
from tests.memory import peak_growth_bytes

u8 = st.integers(0, 255)
layer_codes = st.builds(LayerCode, q_step_code=u8, row=st.integers(0, 89))


@st.composite
def headers(draw):
    depth = draw(st.integers(1, 32))
    parameters = MlpParameters(
        prior=draw(st.integers(0, 127)),
        basis=draw(st.sampled_from(BASES)),
        features=draw(st.integers(1, 65535)),
        bandwidth=draw(st.integers(1, 255)),
        width=draw(st.integers(1, 65535)),
        depth=depth,
        k=draw(st.integers(0, 2**32 - 1)),
        layers=tuple(draw(st.lists(layer_codes, min_size=depth + 1, max_size=depth + 1))),
    )
    mode, samples = draw(
        st.sampled_from([(m, s) for m in bitstream.CHANNELS for s in ("uint8", "uint16")])
    )
    return Header(
        profile="mlp",
        mode=mode,
        samples=samples,
        width=draw(st.integers(1, 2**31 - 1)),
        height=draw(st.integers(1, 2**31 - 1)),
        seed=draw(st.integers(0, 2**32 - 1)),
        sections=draw(u8),
        parameters=parameters,
    )


@settings(max_examples=100, deadline=None)
@given(headers())
def test_header_round_trip(header):
    data = bitstream.pack_header(header)
    back = bitstream.unpack_header(data + b"more")
    assert back == header
    assert back.header_bytes == len(data)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_varint_round_trip(value):
    data = pack_varint(value)
    assert Reader(data).varint() == value
    assert len(data) <= 5


@pytest.mark.parametrize("data", [b"\x80\x00", b"\xff\xff\xff\xff\x7f", b"\x80" * 5 + b"\x01"])
def test_illegal_varints(data):
    with pytest.raises(pranc_codec.CorruptBitstream):
        Reader(data).varint()


def test_header_of_a_plain_rgb_image_is_below_40_bytes(encoded):
    header = bitstream.unpack_header(encoded)
    kodak = replace(header, width=768, height=512)
    large = replace(kodak.parameters, k=30_000, width=90)
    assert len(bitstream.pack_header(replace(kodak, parameters=large))) < 40


@pytest.mark.parametrize("name", ["encoded", "rgba_file"])
def test_every_proper_prefix_is_truncated(name, request):
    data = request.getfixturevalue(name)
    for length in range(len(data)):
        with pytest.raises(pranc_codec.TruncatedBitstream):
            pranc_codec.decode(data[:length])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_flipped_bits_are_noticed(rgba_file, data):
    damaged = data.draw(flipped(rgba_file))
    with pytest.raises(pranc_codec.BitstreamError):
        pranc_codec.decode(damaged)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes(data):
    for text in (data, bitstream.SIGNATURE + data, bitstream.SIGNATURE + b"\1\1\2" + data):
        with pytest.raises(pranc_codec.BitstreamError):
            pranc_codec.decode(text)


def rewrite(data: bytes, **changes: object) -> bytes:
    """The same file with other header fields and a right checksum."""
    header = bitstream.unpack_header(data)
    parameters = {
        k: v for k, v in changes.items() if hasattr(header.parameters, k) and k != "width"
    }
    fields = {k: v for k, v in changes.items() if k not in parameters}
    new = replace(header, parameters=replace(header.parameters, **parameters), **fields)
    return bitstream.pack_header(new) + data[header.header_bytes :]


@settings(max_examples=200, deadline=None)
@given(header=headers())
def test_lying_headers_end_in_an_error_or_an_image(encoded, header):
    """Any legal header in front of real sections: refused, or decoded to the size it states."""
    old = bitstream.unpack_header(encoded)
    small = replace(header, width=header.width % 50 + 1, height=header.height % 50 + 1, sections=1)
    data = bitstream.pack_header(small) + encoded[old.header_bytes :]
    limits = Limits(max_weights=20_000)
    try:
        image = pranc_codec.decode(data, limits=limits)
    except pranc_codec.BitstreamError:
        return
    assert image.size == (small.width, small.height)


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        (dict(width=2**31 - 1, height=2**31 - 1), pranc_codec.LimitExceeded, "pixels"),
        (dict(features=65535, depth=32), pranc_codec.LimitExceeded, "weights"),
        (dict(width=2**13, height=2**13), pranc_codec.LimitExceeded, "multiplications"),
        (dict(k=2**32 - 1), pranc_codec.CorruptBitstream, "coefficients"),
        (dict(k=1), pranc_codec.CorruptBitstream, "coefficients"),
        (dict(prior=99), pranc_codec.UnsupportedVersion, "prior 99"),
        (dict(mode="RGBA"), pranc_codec.CorruptBitstream, "alpha"),
        (dict(sections=2), pranc_codec.TruncatedBitstream, "ends"),
        (dict(sections=0), pranc_codec.CorruptBitstream, "follow"),
    ],
)
def test_lies_are_named(encoded, changes, error, text):
    if "depth" in changes:
        changes = changes | dict(layers=(LayerCode(q_step_code=0, row=0),) * (changes["depth"] + 1))
    limits = Limits(max_weights=2**18, max_macs=2**33)
    with pytest.raises(error, match=text):
        pranc_codec.decode(rewrite(encoded, **changes), limits=limits)


@pytest.mark.parametrize(
    ("position", "value", "error", "text"),
    [
        (8, 2, pranc_codec.UnsupportedVersion, "upgrade"),
        (9, 7, pranc_codec.UnsupportedVersion, "profile 7"),
        (10, 0b10000, pranc_codec.CorruptBitstream, "mode"),
        (10, 0b1001, pranc_codec.CorruptBitstream, "mode"),
        (10, 0b1100, pranc_codec.CorruptBitstream, "mode"),
    ],
)
def test_illegal_fields_with_a_right_checksum(encoded, position, value, error, text):
    size = bitstream.unpack_header(encoded).header_bytes
    data = bytearray(encoded)
    data[position] = value
    data[size - 4 : size] = zlib.crc32(data[: size - 4]).to_bytes(4, "little")
    with pytest.raises(error, match=text):
        pranc_codec.decode(bytes(data))


def test_trailing_bytes(encoded):
    with pytest.raises(pranc_codec.CorruptBitstream, match="1 bytes follow"):
        pranc_codec.decode(encoded + b"\0")


def test_other_formats_are_told_apart():
    with pytest.raises(pranc_codec.NotPranc):
        pranc_codec.decode(b"\x89PNG\r\n\x1a\n" + bytes(100))


def test_metadata_bombs_are_refused(rgba_file):
    header, sections = decoder.open_file(rgba_file, Limits())
    sections[32] = zlib.compress(bytes(10**6), 9)
    data = bitstream.pack_header(header) + pack_sections(sections)
    with pytest.raises(pranc_codec.LimitExceeded, match="icc_profile"):
        pranc_codec.decode(data, limits=Limits(max_metadata_bytes=1000))
    sections[32] += b"junk"
    data = bitstream.pack_header(header) + pack_sections(sections)
    with pytest.raises(pranc_codec.CorruptBitstream, match="icc_profile"):
        pranc_codec.decode(data)


def test_section_order_and_ids(rgba_file):
    header, sections = decoder.open_file(rgba_file, Limits())
    one, two = (pack_sections({n: sections[n]}) for n in (1, 16))
    data = bitstream.pack_header(replace(header, sections=2)) + two + one
    with pytest.raises(pranc_codec.CorruptBitstream, match="out of order"):
        pranc_codec.decode(data)
    unknown = pack_sections({n: sections[n] for n in (1, 16)} | {99: b""})
    with pytest.raises(pranc_codec.CorruptBitstream, match="99"):
        pranc_codec.decode(bitstream.pack_header(replace(header, sections=3)) + unknown)


def forged(**parameters) -> bytes:
    """A tiny file whose header asks for a lot; its symbols decode to zeros or not at all."""
    depth = parameters.get("depth", 1)
    defaults = dict(
        prior=0, basis="hash", features=1, bandwidth=16, width=1, depth=depth, k=depth + 1
    )
    layers = (LayerCode(q_step_code=32, row=0),) * (depth + 1)
    size = {name: parameters.pop(name, 1) for name in ("image_width", "image_height")}
    header = Header(
        profile="mlp", mode="L", samples="uint8", width=size["image_width"],
        height=size["image_height"], seed=0, sections=1,
        parameters=MlpParameters(**{**defaults, **parameters}, layers=layers),
    )  # fmt: skip
    return bitstream.pack_header(header) + pack_sections({1: b""})


def test_forged_files_decode_where_they_are_harmless():
    assert pranc_codec.decode(forged()).size == (1, 1)


def test_a_dense_basis_counts_as_work():
    with pytest.raises(pranc_codec.LimitExceeded, match="multiplications"):
        pranc_codec.decode(forged(basis="dense", features=65535, width=63, k=4_000_000))


@pytest.mark.parametrize("shape", [(1 << 22, 1), (1, 1 << 22)])
def test_memory_of_rendering_is_bounded(shape):
    """Strips are of points, not of rows, and know how wide the network is."""
    data = forged(image_width=shape[0], image_height=shape[1], width=90, features=120, k=10_000)
    region = (0, 0, min(shape[0], 1 << 17), min(shape[1], 1 << 17))
    assert peak_growth_bytes(lambda: pranc_codec.decode(data, region=region)) < 110 * 2**20


def test_symbols_followed_by_junk_are_refused(encoded):
    header, sections = decoder.open_file(encoded, Limits())
    sections[1] += b"junk"
    data = bitstream.pack_header(header) + pack_sections(sections)
    with pytest.raises(pranc_codec.CorruptBitstream, match="not what an encoder writes"):
        pranc_codec.decode(data)


@pytest.mark.parametrize("size", [0, 6, 7])
def test_the_metadata_limit_is_exact(rgba_file, size):
    """The longest blob has seven bytes."""
    limits = Limits(max_metadata_bytes=size)
    if size < 7:
        with pytest.raises(pranc_codec.LimitExceeded):
            pranc_codec.decode(rgba_file, limits=limits)
    else:
        pranc_codec.decode(rgba_file, limits=limits)


def test_old_name_of_the_approximations_rows_warns_and_works():
    parameters = GridParameters(prior=0, q_step_code=-300, approximation_rows=(1, 2, 3))
    with pytest.warns(DeprecationWarning, match="approximation_rows"):
        assert parameters.low_rows == (1, 2, 3)


@pytest.mark.parametrize("old", ["step", "step_code"])
def test_old_names_of_the_quantizer_warn_and_work(old):
    for code in (
        LayerCode(q_step_code=40, row=0),
        GridParameters(prior=0, q_step_code=-300, approximation_rows=(0, 0, 0)),
    ):
        with pytest.warns(DeprecationWarning, match=f"q_{old}"):
            assert getattr(code, old) == getattr(code, f"q_{old}")


def test_metadata_is_inflated_once(rgba_file, monkeypatch):
    inflated = []

    def counted(payload, limit, name):
        inflated.append(name)
        return inflate(payload, limit, name)

    monkeypatch.setattr("pranc_codec.format.metadata.inflate", counted)
    assert pranc_codec.decode(rgba_file).info["xmp"] == b"<x/>"
    assert sorted(inflated) == ["alpha", "exif", "icc_profile", "xmp"]
