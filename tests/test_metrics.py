"""Metrics against values that are known without them."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from jaxtyping import TypeCheckError, UInt8
from skimage import data

from pranc_codec.errors import InvalidArgument
from pranc_codec.metrics import ms_ssim, psnr_db, ssim, ssimulacra2

Image8 = UInt8[np.ndarray, "h w 3"]


@pytest.fixture(scope="module")
def photo() -> Image8:
    """A photograph of 200x180 pixels."""
    astronaut: Callable[[], Image8] = data.astronaut
    return astronaut()[:200, 100:280]


def noisy(image: Image8, amplitude: int) -> Image8:
    """The image with uniform noise."""
    noise = np.random.default_rng(1).integers(-amplitude, amplitude, image.shape, endpoint=True)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (1, 1, 3)])
@pytest.mark.parametrize("difference", [1, 16, 255])
def test_psnr_of_a_constant_difference(shape: tuple[int, ...], difference: int) -> None:
    black = np.zeros(shape, np.uint8)
    other = np.full(shape, difference, np.uint8)
    assert psnr_db(black, other) == pytest.approx(20 * math.log10(255 / difference))
    assert psnr_db(other, black) == psnr_db(black, other)


def test_psnr_of_equal_images_is_infinite(photo: Image8) -> None:
    assert psnr_db(photo, photo.copy()) == math.inf


def test_psnr_is_over_all_samples_and_not_a_mean_of_channels() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    red = black.copy()
    red[..., 0] = 30
    assert psnr_db(black, red) == pytest.approx(10 * math.log10(255**2 / (30**2 / 3)))


def test_ssim_is_one_for_equal_images_and_falls_with_noise(photo: Image8) -> None:
    assert ssim(photo, photo) == pytest.approx(1)
    slight, strong = ssim(photo, noisy(photo, 5)), ssim(photo, noisy(photo, 40))
    assert slight is not None
    assert strong is not None
    assert 1 > slight > strong > 0


def test_ssim_of_flat_images_is_its_luminance_term() -> None:
    a, b = np.full((32, 32), 100, np.uint8), np.full((32, 32), 120, np.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    assert ssim(a, b) == pytest.approx(expected, abs=1e-6)


def test_ssim_has_the_papers_window(photo: Image8) -> None:
    """The same number as pytorch_msssim's, which knows no other window (nor borders: cut off)."""
    import torch
    from pytorch_msssim import ssim as reference

    other = noisy(photo, 20)
    planes = [
        torch.from_numpy(image.astype(np.float64)).permute(2, 0, 1)[None]
        for image in (photo, other)
    ]
    assert ssim(photo, other) == pytest.approx(float(reference(*planes)), abs=2e-4)


def test_ms_ssim_is_linear_and_one_for_equal_images(photo: Image8) -> None:
    assert ms_ssim(photo, photo) == pytest.approx(1)
    value = ms_ssim(photo, noisy(photo, 40))
    assert value is not None
    assert 0 < value < 1
    assert ms_ssim(photo[..., 0], photo[..., 0]) == pytest.approx(1)


def test_images_too_small_for_a_window_have_no_value(photo: Image8) -> None:
    assert ssim(photo[:10], photo[:10]) is None
    assert ssim(photo[:11], photo[:11]) is not None
    assert ms_ssim(photo[:160], photo[:160]) is None
    assert ms_ssim(photo[:161], photo[:161]) is not None


def test_ms_ssim_of_flat_images_is_the_luminance_term_of_the_coarsest_scale() -> None:
    a, b = np.full((176, 176, 3), 1, np.uint8), np.full((176, 176, 3), 4, np.uint8)
    c1 = (0.01 * 255) ** 2
    luminance = (2 * 1 * 4 + c1) / (1**2 + 4**2 + c1)
    assert ms_ssim(a, b) == pytest.approx(luminance**0.1333, abs=1e-4)


def test_ssimulacra2_falls_with_noise_and_needs_eight_pixels(photo: Image8) -> None:
    assert ssimulacra2(photo, photo) == pytest.approx(100)
    scores = [ssimulacra2(photo, noisy(photo, amount)) for amount in (2, 10, 40)]
    assert None not in scores
    assert 100 > scores[0] > scores[1] > scores[2]
    assert ssimulacra2(photo[:7], photo[:7]) is None
    assert ssimulacra2(photo[:8], photo[:8]) is not None


@pytest.mark.parametrize("metric", [psnr_db, ssim, ms_ssim, ssimulacra2])
def test_images_of_different_shapes_are_refused(metric: object, photo: Image8) -> None:
    assert callable(metric)
    with pytest.raises(InvalidArgument, match=r"\(200, 180, 3\) and \(200, 180\)"):
        metric(photo, photo[..., 0])


@pytest.mark.parametrize("metric", [psnr_db, ssim, ms_ssim, ssimulacra2])
def test_images_in_floating_point_are_refused(metric: object, photo: Image8) -> None:
    assert callable(metric)
    with pytest.raises((InvalidArgument, TypeCheckError)):
        metric(photo, photo / 255)
