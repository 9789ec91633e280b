"""Encoding in the mlp profile: targets, progress, bases."""

import numpy as np
import pytest
from PIL import Image

import pranc_codec
from pranc_codec.metrics import psnr_db


def test_a_photograph_is_recognizable_and_small(photo, encoded):
    decoded = pranc_codec.decode(encoded)
    assert decoded.size == photo.size
    assert decoded.mode == "RGB"
    assert psnr_db(np.asarray(photo), np.asarray(decoded)) > 18
    assert 8 * len(encoded) / (96 * 64) == pytest.approx(1.0, rel=0.02)


def test_same_input_settings_and_seed_give_the_same_bytes(photo, encoded):
    assert pranc_codec.encode(photo, profile="mlp", bpp=1.0, effort=0) == encoded
    assert pranc_codec.encode(photo, profile="mlp", bpp=1.0, effort=0, seed=1) != encoded


@pytest.fixture(scope="module")
def small(photo) -> Image.Image:
    """`photo` in 48x32 pixels."""
    return photo.resize((48, 32))


def test_target_psnr_is_met_on_the_decoded_file(small):
    data = pranc_codec.encode(small, profile="mlp", psnr=20, effort=1)
    reached = psnr_db(np.asarray(small), np.asarray(pranc_codec.decode(data)))
    assert 19.9 <= reached <= 20.6


def test_unreachable_targets_say_what_is_reachable(photo):
    with pytest.raises(pranc_codec.TargetUnreachable, match="needed for header"):
        pranc_codec.encode(photo, profile="mlp", bpp=0.01, effort=0)
    with pytest.raises(pranc_codec.TargetUnreachable, match="were reached at"):
        pranc_codec.encode(photo.resize((12, 8)), profile="mlp", psnr=70, effort=0)


def test_progress_and_cancel(photo):
    seen = []
    pranc_codec.encode(photo, profile="mlp", bpp=1.0, effort=0, progress=seen.append)
    assert [p.iteration for p in seen] == sorted({p.iteration for p in seen})
    assert seen[-1].iteration == seen[-1].iterations == 150
    assert seen[-1].bpp_estimate == pytest.approx(1.0, rel=0.2)
    assert seen[0].preview().shape == (64, 96, 3)

    def cancel(progress):
        raise pranc_codec.EncodingCancelled(f"enough after {progress.iteration}")

    with pytest.raises(pranc_codec.EncodingCancelled, match="enough"):
        pranc_codec.encode(photo, profile="mlp", bpp=1.0, effort=0, progress=cancel)


def test_last_estimates_are_close_to_the_file(photo):
    seen = []
    data = pranc_codec.encode(photo, profile="mlp", bpp=2.0, effort=2, progress=seen.append)
    psnr = psnr_db(np.asarray(photo), np.asarray(pranc_codec.decode(data)))
    assert seen[-1].psnr_db_estimate == pytest.approx(psnr, abs=0.5)


@pytest.mark.parametrize("basis", ["hash", "dense"])
def test_bases_and_weights_per_coefficient(small, basis):
    rule = pranc_codec.MlpRule(basis=basis, weights_per_coefficient=2)
    data = pranc_codec.encode(small, profile="mlp", bpp=1.0, effort=0, rule=rule)
    analysis = pranc_codec.analyze(data)
    assert analysis.header.parameters.basis == basis
    weights = sum(layer.weights for layer in analysis.layers)
    assert 1.9 < weights / analysis.header.parameters.k < 2.5
    assert psnr_db(np.asarray(small), pranc_codec.decode_array(data)) > 13


def test_rates_beyond_the_largest_network_are_refused_before_the_fit():
    image = np.zeros((2000, 3000), np.uint8)
    with pytest.raises(pranc_codec.TargetUnreachable, match="ask for at most"):
        pranc_codec.encode(image, profile="mlp", bpp=3.0, effort="max")
