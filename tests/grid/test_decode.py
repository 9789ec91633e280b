"""Decoding of the grid profile: windows, sizes and strips; wrong and hostile files; memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image

import pranc_codec
from pranc_codec import decoder
from pranc_codec.encoder.grid import candidates
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.format import bitstream
from pranc_codec.format.parameters import GridParameters, LayerCode
from pranc_codec.format.sections import pack_sections, unpack_sections
from pranc_codec.grid import decode as grid_decode, prior as priors, reconstruct
from pranc_codec.image import load_picture
from pranc_codec.limits import Limits
from pranc_codec.metrics import psnr_db
from tests.damage import flipped
from tests.memory import peak_growth_bytes


def test_strips_and_threads_make_the_same_pixels(grid_file, monkeypatch):
    whole = pranc_codec.decode_array(grid_file).astype(int)
    monkeypatch.setattr(reconstruct, "CELLS_AT_ONCE", 96)
    before = torch.get_num_threads()
    torch.set_num_threads(3 - before)
    try:
        strips = pranc_codec.decode_array(grid_file).astype(int)
    finally:
        torch.set_num_threads(before)
    assert np.abs(strips - whole).max() <= 1


@pytest.mark.parametrize("region", [(10, 20, 50, 41), (0, 63, 96, 64), (95, 1, 96, 2)])
def test_windows_are_parts_of_the_image(grid_file, region):
    left, top, right, bottom = region
    whole = pranc_codec.decode_array(grid_file).astype(int)
    window = pranc_codec.decode_array(grid_file, region=region).astype(int)
    assert np.abs(window - whole[top:bottom, left:right]).max() <= 1


def test_other_sizes_are_resampled(photo, grid_file):
    half = pranc_codec.decode(grid_file, size=(48, 32))
    assert half.size == (48, 32)
    wanted = np.asarray(photo.resize((48, 32), Image.Resampling.BICUBIC))
    assert psnr_db(wanted, np.asarray(half)) > 28
    part = pranc_codec.decode_array(grid_file, size=(192, 128), region=(10, 20, 60, 50))
    assert part.shape == (30, 50, 3)


def test_header_round_trip_with_coefficients():
    parameters = GridParameters(
        prior=0xDEADBEEF, q_step_code=-300, approximation_rows=(1, 2, 89), k=300,
        layer=LayerCode(q_step_code=7, row=60),
    )  # fmt: skip
    header = bitstream.Header(
        profile="grid", mode="RGB", samples="uint8", width=768, height=512, seed=0, sections=2,
        parameters=parameters,
    )  # fmt: skip
    data = bitstream.pack_header(header)
    assert bitstream.unpack_header(data) == header
    without = replace(header, parameters=replace(parameters, k=0, layer=None))
    data = bitstream.pack_header(without)
    assert bitstream.unpack_header(data) == without
    assert len(data) < 40


def rewrite(data: bytes, **parameters) -> bytes:
    header = bitstream.unpack_header(data)
    new = replace(header, parameters=replace(header.grid, **parameters))
    return bitstream.pack_header(new) + data[header.header_bytes :]


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        (dict(prior=1), pranc_codec.UnsupportedVersion, "needs prior 00000001"),
        (dict(q_step_code=257), pranc_codec.CorruptBitstream, "step"),
        (dict(q_step_code=-641), pranc_codec.CorruptBitstream, "step"),
        (dict(approximation_rows=(0, 90, 0)), pranc_codec.CorruptBitstream, "row"),
        (
            dict(k=999, layer=LayerCode(q_step_code=0, row=0)),
            pranc_codec.CorruptBitstream,
            "biases",
        ),
        (dict(k=9, layer=LayerCode(q_step_code=0, row=0)), pranc_codec.CorruptBitstream, "missing"),
    ],
)
def test_lies_are_named(grid_file, parameters, error, text):
    with pytest.raises(error, match=text):
        pranc_codec.decode(rewrite(grid_file, **parameters))


def test_work_is_limited(grid_file):
    with pytest.raises(pranc_codec.LimitExceeded, match="multiplications"):
        pranc_codec.decode(grid_file, limits=Limits(max_macs=10**8))


def test_every_proper_prefix_is_truncated(grid_file):
    for length in range(len(grid_file)):
        with pytest.raises(pranc_codec.TruncatedBitstream):
            pranc_codec.decode(grid_file[:length])


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_flipped_bits_are_noticed(grid_file, data):
    damaged = data.draw(flipped(grid_file))
    with pytest.raises(pranc_codec.BitstreamError):
        pranc_codec.decode(damaged)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=400), st.integers(-640, 256), st.integers(1, 40), st.integers(1, 40))
def test_forged_latents_end_in_an_error_or_an_image(grid_file, junk, q_step_code, width, height):
    header, sections = decoder.open_file(grid_file, Limits())
    sections[bitstream.LATENTS] = junk
    forged = replace(
        header, width=width, height=height,
        parameters=replace(header.grid, q_step_code=q_step_code),
    )  # fmt: skip
    data = bitstream.pack_header(forged) + pack_sections(sections)
    try:
        assert pranc_codec.decode(data).size == (width, height)
    except pranc_codec.BitstreamError:
        return


def test_sections_that_do_not_belong_are_refused(grid_file):
    header, sections = decoder.open_file(grid_file, Limits())
    sections[bitstream.SYMBOLS] = b""
    data = bitstream.pack_header(replace(header, sections=2)) + pack_sections(sections)
    with pytest.raises(pranc_codec.CorruptBitstream, match="'symbols' has no place in this file"):
        unpack_sections(data, bitstream.unpack_header(data))


def test_coefficients_change_the_network_and_are_accounted_for(photo):
    """A file with coefficients: kept where they pay, here put in by hand."""
    source = candidates.GridCandidates(EncodeRequest(picture=load_picture(photo), effort=0, seed=3))
    symbols = np.random.default_rng(0).integers(-9, 10, 100).astype(np.int32)
    plain = source.plain(-250).encoded
    coded = replace(plain, coefficients=symbols)
    data = coded.checked()
    assert pranc_codec.inspect(data).grid.k == 100
    (layer,) = pranc_codec.analyze(data).layers
    np.testing.assert_array_equal(layer.symbols, symbols)
    assert layer.weights == priors.plain().biases_count
    assert pranc_codec.analyze(data).part_bytes["symbols"] <= 1.01 * layer.bits / 8 + 4
    assert (
        np.abs(
            pranc_codec.decode_array(data).astype(int) - pranc_codec.decode_array(plain.file)
        ).max()
        > 1
    )
    with pytest.raises(pranc_codec.CorruptBitstream, match="missing"):
        pranc_codec.decode(rewrite(plain.file, k=9, layer=LayerCode(q_step_code=0, row=0)))


def test_zooming_into_a_huge_size_costs_no_more_than_the_window(grid_file):
    part = pranc_codec.decode_array(grid_file, size=(960_000, 640_000), region=(5, 5, 15, 15))
    assert part.shape == (10, 10, 3)


def test_sides_beyond_the_profile_are_refused(grid_file):
    with pytest.raises(pranc_codec.InvalidArgument, match="65535 a side"):
        pranc_codec.encode(np.zeros((1, 70_000), np.uint8), effort=0)
    header, sections = decoder.open_file(grid_file, Limits())
    data = bitstream.pack_header(replace(header, width=79_000_000, height=1))
    with pytest.raises(pranc_codec.CorruptBitstream, match="side beyond"):
        pranc_codec.decode(data + pack_sections(sections))


def test_the_longest_line_takes_little_memory():
    """One row of 65535 pixels: strips are of one row, and that fits."""
    line = np.tile(np.arange(255, dtype=np.uint8), 257)[None]
    assert line.shape == (1, grid_decode.LARGEST_SIDE)

    def round_trip() -> None:
        data = pranc_codec.encode(line, quality=30, effort=0)
        assert pranc_codec.decode_array(data).shape == line.shape

    assert peak_growth_bytes(round_trip) < 200 * 2**20


def test_decoding_leaves_the_callers_random_numbers_alone(grid_file):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    pranc_codec.decode_array(grid_file)
    assert torch.equal(torch.rand(3), expected)
