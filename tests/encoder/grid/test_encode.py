"""Encoding in the grid profile: targets are met, fits pay, the same input gives the same bytes."""

import numpy as np
import pytest
from PIL import Image
from skimage import data as skimage_data

import pranc_codec
from pranc_codec import decoder
from pranc_codec.encoder.grid import candidates, encode as encoder
from pranc_codec.format import bitstream
from pranc_codec.grid import prior as priors
from pranc_codec.limits import Limits
from pranc_codec.metrics import psnr_db


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
    lmbda = candidates.FIT_LMBDA_STEPS2 * pranc_codec.inspect(plain).grid.q_step ** 2 / 3

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
    assert pranc_codec.inspect(fitted).grid.k == priors.plain().biases_count
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
    assert [p.iteration for p in seen] == sorted({p.iteration for p in seen})
    assert seen[-1].iteration == seen[-1].iterations
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


def test_an_icon_carries_little_overhead():
    icon = Image.fromarray(skimage_data.astronaut()).resize((64, 64))
    data = pranc_codec.encode(icon, quality=30, effort=0)
    ideal_bytes = sum(level.bits for level in pranc_codec.analyze(data).levels) / 8
    assert len(data) - ideal_bytes <= 64


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
    """They have a approximation only, of which there is no estimate."""
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


def test_qualities_and_lmbdas_say_steps():
    assert encoder.q_step_code_of_quality(1) == -64
    assert encoder.q_step_code_of_quality(100) == -480
    step = 2 ** (encoder.q_step_code_of_lmbda(1e-3) / 64)
    assert candidates.LMBDA_STEPS2 * step**2 / 3 == pytest.approx(1e-3, rel=0.02)
