"""The grid profile end to end: what a file holds, that it is exact, and what it costs."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from skimage import data as skimage_data

import pranc_codec
from pranc_codec import decoder
from pranc_codec.encoder.grid import candidates, encode as encoder, rdoq, step_search
from pranc_codec.encoder.request import Job
from pranc_codec.entropy import mixture_coder
from pranc_codec.entropy.mixture_coder import Distributions
from pranc_codec.entropy.range_coder import Decoder, Encoder
from pranc_codec.format import bitstream
from pranc_codec.format.parameters import GridParameters, LayerCode
from pranc_codec.format.sections import pack_sections, unpack_sections
from pranc_codec.grid import decode as grid_decode, latent_stream, prior as priors
from pranc_codec.image import load_picture
from pranc_codec.limits import Limits
from pranc_codec.metrics import psnr_db
from tests.memory import peak_growth_bytes

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def fitted(photo) -> bytes:
    return pranc_codec.encode(photo, quality=40, effort=4)


def test_small_and_good(photo, grid_file):
    decoded = pranc_codec.decode_array(grid_file)
    assert psnr_db(np.asarray(photo), decoded) > 27
    assert 8 * len(grid_file) / (96 * 64) == pytest.approx(1.0, rel=0.02)


def test_files_name_the_prior_of_their_symbols(grid_file, fitted):
    assert pranc_codec.inspect(grid_file).grid.prior == priors.plain().number
    assert pranc_codec.inspect(fitted).grid.prior == priors.fitted().number


def test_same_input_and_settings_give_the_same_bytes(photo, grid_file, fitted):
    assert pranc_codec.encode(photo, bpp=1.0, effort=0) == grid_file
    assert pranc_codec.encode(photo, quality=40, effort=4) == fitted


def test_fitting_pays(photo, fitted):
    """Lower distortion + lmbda * rate than the same step without a fit."""
    plain = pranc_codec.encode(photo, quality=40, effort=0)
    lmbda = candidates.FIT_PRICE * pranc_codec.inspect(plain).grid.q_step ** 2 / 3

    def loss(data: bytes) -> float:
        psnr = psnr_db(np.asarray(photo), pranc_codec.decode_array(data))
        return 10 ** (-psnr / 10) + lmbda * 8 * len(data) / (96 * 64)

    assert loss(fitted) < 0.995 * loss(plain)


def test_coefficients_alone_pay_where_latents_are_not_fitted():
    """Low efforts, and images of any effort that are too large: the latents stay as they are."""
    image = np.ascontiguousarray(skimage_data.coffee()[:320, :384])
    seen = []
    plain, fitted = (
        pranc_codec.encode(image, quality=30, effort=effort, progress=seen.append)
        for effort in (0, 1)
    )
    assert np.array_equal(seen[-1].preview(), pranc_codec.decode_array(fitted))
    assert not np.array_equal(seen[0].preview(), seen[-1].preview())
    assert pranc_codec.inspect(fitted).grid.k == grid_decode.offsets_count()
    payloads = [decoder.open_file(data, Limits())[1][bitstream.LATENTS] for data in (plain, fitted)]
    assert payloads[0] == payloads[1]
    gain_db = psnr_db(image, pranc_codec.decode_array(fitted)) - psnr_db(
        image, pranc_codec.decode_array(plain)
    )
    assert gain_db > 0.1
    assert len(fitted) < len(plain) + 250


@pytest.mark.parametrize("effort", [2, 3])
def test_progress_and_cancel_of_a_fit(photo, effort):
    seen = []
    pranc_codec.encode(photo, quality=40, effort=effort, progress=seen.append)
    assert [p.step for p in seen] == sorted({p.step for p in seen})
    assert seen[-1].step == seen[-1].steps
    assert seen[0].preview().shape == (64, 96, 3)

    def cancel(progress):
        raise pranc_codec.EncodingCancelled("enough")

    with pytest.raises(pranc_codec.EncodingCancelled):
        pranc_codec.encode(photo, quality=40, effort=effort, progress=cancel)


@pytest.mark.parametrize("effort", [0, 1])
def test_target_psnr_is_met(photo, effort):
    data = pranc_codec.encode(photo, psnr=30, effort=effort)
    assert 29.9 <= psnr_db(np.asarray(photo), pranc_codec.decode_array(data)) <= 30.2


def test_target_bpp_is_met_after_a_fit(photo):
    data = pranc_codec.encode(photo, bpp=0.8, effort=1)
    assert abs(8 * len(data) / (96 * 64) / 0.8 - 1) <= 0.02


def test_unreachable_rates_say_what_was_reached(photo):
    with pytest.raises(pranc_codec.TargetUnreachable, match="the nearest file has"):
        pranc_codec.encode(photo, effort=0, bpp=0.001)


def test_a_very_high_psnr_is_met_without_loss(photo):
    data = pranc_codec.encode(photo.resize((24, 16)), effort=0, psnr=99)
    np.testing.assert_array_equal(
        pranc_codec.decode_array(data), np.asarray(photo.resize((24, 16)))
    )


def test_grey_stays_grey_and_costs_no_colour(photo):
    grey = photo.convert("L")
    data = pranc_codec.encode(grey, quality=40, effort=0)
    as_rgb = pranc_codec.encode(grey.convert("RGB"), quality=40, effort=0)
    assert pranc_codec.decode(data).mode == "L"
    assert len(data) < len(as_rgb)
    assert psnr_db(np.asarray(grey), pranc_codec.decode_array(data)) > 30
    assert {level.colour for level in pranc_codec.analyze(data).levels} == {0}


def test_file_is_as_long_as_its_model_says(grid_file):
    analysis = pranc_codec.analyze(grid_file)
    assert analysis.layers == ()
    ideal_bytes = sum(level.bits for level in analysis.levels) / 8
    assert len(grid_file) <= 1.01 * ideal_bytes + 80
    assert sum(analysis.part_bytes.values()) == len(grid_file)
    overhead = len(grid_file) - analysis.part_bytes["latents"]
    assert overhead <= 64


@pytest.mark.parametrize("size", [(96, 64), (37, 21), (1, 1)])
def test_the_map_of_bits_holds_all_of_them(photo, size):
    analysis = pranc_codec.analyze(pranc_codec.encode(photo.resize(size), quality=40, effort=0))
    bits = analysis.bits_per_pixel()
    assert bits.shape == size[::-1]
    assert bits.sum() == pytest.approx(sum(level.bits for level in analysis.levels))
    assert bits.min() >= 0


def test_bits_are_where_the_detail_is(photo):
    half = Image.new("RGB", (96, 64), "grey")
    half.paste(photo.crop((0, 0, 48, 64)), (0, 0))
    bits = pranc_codec.analyze(pranc_codec.encode(half, quality=50, effort=0)).bits_per_pixel()
    assert bits[:, :48].sum() > 20 * bits[:, 60:].sum()


def test_an_icon_carries_little_overhead():
    icon = Image.fromarray(skimage_data.astronaut()).resize((64, 64))
    data = pranc_codec.encode(icon, quality=30, effort=0)
    ideal_bytes = sum(level.bits for level in pranc_codec.analyze(data).levels) / 8
    assert len(data) - ideal_bytes <= 64


def test_strips_and_threads_make_the_same_pixels(grid_file, monkeypatch):
    whole = pranc_codec.decode_array(grid_file).astype(int)
    monkeypatch.setattr(grid_decode, "CELLS_AT_ONCE", 96)
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
        prior=0xDEADBEEF, q_step_code=-300, low_rows=(1, 2, 89), k=300,
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
        (dict(low_rows=(0, 90, 0)), pranc_codec.CorruptBitstream, "row"),
        (
            dict(k=999, layer=LayerCode(q_step_code=0, row=0)),
            pranc_codec.CorruptBitstream,
            "offsets",
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
    damaged = bytearray(grid_file)
    for position in data.draw(
        st.sets(st.integers(0, 8 * len(damaged) - 1), min_size=1, max_size=3)
    ):
        damaged[position // 8] ^= 1 << position % 8
    with pytest.raises(pranc_codec.BitstreamError):
        pranc_codec.decode(bytes(damaged))


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


def test_low_band_round_trip():
    low = np.random.default_rng(0).integers(-9000, 9000, (3, 4, 6)).astype(np.int32)
    encoder_ = Encoder()
    latent_stream.pack_low(encoder_, low, (3, 40, 60))
    decoder_ = Decoder(encoder_.finish())
    np.testing.assert_array_equal(latent_stream.unpack_low(decoder_, (4, 6), (3, 40, 60)), low)


def test_choices_have_the_least_loss():
    rng = np.random.default_rng(0)
    y = rng.laplace(0, 2, 500).astype(np.float32)
    d = Distributions(scale=np.full(500, 24), shape=np.full(500, 2), loc=rng.integers(-8, 9, 500))
    symbols = rdoq.choose(y, d, 0.2)
    losses = []
    for candidate in (np.rint(y), np.trunc(y), 0 * y):
        cost = mixture_coder.Costs(d).of(candidate.astype(np.int32))
        losses.append(np.square(y - candidate) + 0.2 * cost)
    cost = mixture_coder.Costs(d).of(symbols)
    np.testing.assert_allclose(np.square(y - symbols) + 0.2 * cost, np.min(losses, axis=0))
    np.testing.assert_array_equal(rdoq.choose(y, d, 0), np.rint(y))


@pytest.mark.parametrize("zero", [-400, -213, 37])
def test_steps_are_found(zero):
    """With an estimate that is off by a slope and a constant."""
    calls = []

    def error(code: int) -> float:
        calls.append(code)
        return np.sinh((code - zero) / 150)

    def estimate(code: int) -> float:
        return 1.3 * np.sinh((code - zero) / 150) - 0.5

    assert abs(step_search.nearest_step(error, estimate, 0, np.inf) - zero) <= 1
    assert len(calls) <= step_search.MOST_TRIALS
    calls.clear()
    step_search.nearest_step(error, estimate, 0.02, np.inf)
    assert len(calls) <= 4


def test_steps_are_found_where_the_estimate_is_of_no_use():
    """Bracketed and halved; the best of those that meet the target, not the nearest of all."""

    def error(code: int) -> float:
        return 0.2 if code > -300 else (code - 300) / 1000

    assert step_search.nearest_step(error, lambda code: float(code), 0.03, 0.05) == -300


@pytest.mark.parametrize(
    ("kind", "wanted", "effort"), [("disc", 35, 0), ("ramp", 20, 0), ("disc", 28, 1)]
)
def test_target_psnr_of_drawings(kind, wanted, effort):
    """Their PSNR jumps from step to step; the last one's fits miss it."""
    y, x = np.mgrid[:32, :32]
    drawn = {"disc": 255 * ((y - 16) ** 2 + (x - 16) ** 2 < 80), "ramp": 8 * x}
    image = drawn[kind].astype(np.uint8)
    data = pranc_codec.encode(image, psnr=wanted, effort=effort)
    assert wanted - 0.1 <= psnr_db(image, pranc_codec.decode_array(data)) < wanted + 1


@pytest.mark.parametrize("side", [1, 4, 7])
def test_target_bpp_of_the_smallest_images(side):
    """They have a low band only, of which there is no estimate."""
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    with pytest.raises(pranc_codec.TargetUnreachable, match="bytes"):
        pranc_codec.encode(image, bpp=5000, effort=0)


def test_a_fit_of_grey_counts_grey_only(photo):
    """What chroma would lose is not looked at."""
    problems = []
    for image in (photo.convert("L"), photo.convert("L").convert("RGB")):
        seen = []
        pranc_codec.encode(image, quality=30, effort=1, progress=seen.append)
        assert seen[-1].preview().shape == (64, 96, 1 if image.mode == "L" else 3)
        problems.append(seen[-1].psnr_db_estimate)
    assert problems[0] > problems[1]


def test_estimates_follow_the_files(photo):
    """Ratios of bpp and differences of PSNR, from step to step, which is what the search needs."""
    source = candidates.Source(job=Job(picture=load_picture(photo), effort=0))
    coded = [source.coded(code) for code in (-320, -256, -192)]
    guessed = [source.estimates.bpp(code) for code in (-320, -256, -192)]
    for (a, b), (x, y) in zip(pairwise(coded), pairwise(guessed), strict=True):
        assert np.log2(a.bpp / b.bpp) == pytest.approx(np.log2(x / y), abs=0.25)
    guessed = [source.estimates.psnr_db(code) for code in (-320, -256, -192)]
    for (a, b), (x, y) in zip(pairwise(coded), pairwise(guessed), strict=True):
        assert a.psnr_db - b.psnr_db == pytest.approx(x - y, abs=0.8)


def test_qualities_and_lmbdas_say_steps():
    assert encoder.q_step_code_of_quality(1) == -64
    assert encoder.q_step_code_of_quality(100) == -480
    step = 2 ** (encoder.q_step_code_of_lmbda(1e-3) / 64)
    assert candidates.PRICE * step**2 / 3 == pytest.approx(1e-3, rel=0.02)


def test_sections_that_do_not_belong_are_refused(grid_file):
    header, sections = decoder.open_file(grid_file, Limits())
    sections[bitstream.SYMBOLS] = b""
    data = bitstream.pack_header(replace(header, sections=2)) + pack_sections(sections)
    with pytest.raises(pranc_codec.CorruptBitstream, match="'symbols' has no place in this file"):
        unpack_sections(data, bitstream.unpack_header(data))


def test_coefficients_change_the_network_and_are_accounted_for(photo):
    """A file with coefficients: kept where they pay, here put in by hand."""
    source = candidates.Source(job=Job(picture=load_picture(photo), effort=0, seed=3))
    symbols = np.random.default_rng(0).integers(-9, 10, 100).astype(np.int32)
    plain = source.coded(-250)
    coded = replace(plain, coefficients=symbols)
    data = coded.checked()
    assert pranc_codec.inspect(data).grid.k == 100
    (layer,) = pranc_codec.analyze(data).layers
    np.testing.assert_array_equal(layer.symbols, symbols)
    assert layer.weights == grid_decode.offsets_count()
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
