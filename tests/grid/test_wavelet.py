"""The linear path: perfect reconstruction, near-unit norms, exact integers."""

import pytest
import torch

from pranc_codec.grid import wavelet
from pranc_codec.grid.opponent import to_opponent, to_rgb

SIZES = [(1, 1), (1, 9), (6, 1), (2, 2), (3, 5), (33, 47), (64, 64), (101, 256)]


def image_of(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.rand(2, 3, height, width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("size", SIZES)
def test_perfect_reconstruction(size):
    image = image_of(*size)
    pyramid = wavelet.analyze(image)
    torch.testing.assert_close(wavelet.synthesize(pyramid, *size), image)


@pytest.mark.parametrize("size", SIZES)
def test_bands_lie_on_their_grids_and_absent_places_are_zero(size):
    pyramid = wavelet.analyze(image_of(*size))
    grids = wavelet.grids(*size)
    assert [tuple(b.shape[3:]) for b in pyramid.bands] == grids
    for bands, below in zip(pyramid.bands, [*grids[1:], size], strict=False):
        coded_mask = wavelet.coded_mask(*below)
        assert coded_mask.shape == bands.shape[2:]
        assert not bands[:, :, ~coded_mask].any()
    coded = sum(
        int(wavelet.coded_mask(*below).sum()) for below in ([*grids[1:], size] if grids else [])
    )
    assert coded + pyramid.approximation[0, 0].numel() == size[0] * size[1]


def test_synthesis_functions_have_a_norm_near_one():
    zeros = wavelet.analyze(torch.zeros(1, 1, 256, 256, dtype=torch.float64))
    for number in range(len(zeros.bands)):
        for band in range(3):
            pyramid = zeros.map(torch.clone)
            bands = pyramid.bands[number]
            bands[0, 0, band, bands.shape[3] // 2, bands.shape[4] // 2] = 1
            norm = float(wavelet.synthesize(pyramid, 256, 256).norm())
            assert 0.96 < norm < 1.21


def test_colours_are_orthonormal():
    image = image_of(4, 4)
    opponent = to_opponent(image)
    torch.testing.assert_close(to_rgb(opponent), image)
    torch.testing.assert_close(opponent.square().sum(), image.square().sum())
    grey = image[:, :1].expand(-1, 3, -1, -1)
    assert to_opponent(grey)[:, 1:].abs().max() < 1e-12


@pytest.mark.parametrize("size", [(1, 8), (2, 2), (33, 47)])
def test_integer_synthesis_follows_the_real_one(size):
    """In fixed point with six bits of fraction: within two units of the last place."""
    image = 300 * image_of(*size)
    pyramid = wavelet.analyze(image).map(torch.round)
    exact = wavelet.synthesize(pyramid.map(lambda t: t.long() << 6), *size)
    assert exact.dtype == torch.int64
    real = wavelet.synthesize(pyramid, *size)
    assert float((exact / 64 - real).abs().max()) < 0.2


@pytest.mark.parametrize("size", [(1, 8), (9, 2), (8, 9), (11, 17)])
def test_gradients_are_those_of_differences(size):
    def synthesized(approximation, *bands):
        return wavelet.synthesize(wavelet.Pyramid(approximation=approximation, bands=bands), *size)

    pyramid = wavelet.analyze(image_of(*size)[:1, :1])
    assert pyramid.bands
    torch.autograd.gradcheck(synthesized, [t.requires_grad_() for t in pyramid.tensors])


def test_gradients_reach_every_coefficient():
    pyramid = wavelet.analyze(image_of(20, 30)).map(lambda t: t.clone().requires_grad_())
    wavelet.synthesize(pyramid, 20, 30).square().sum().backward()
    assert all(t.grad is not None and t.grad.abs().sum() > 0 for t in pyramid.tensors)
