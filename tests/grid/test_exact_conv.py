"""Sums of products are exact."""

import pytest
import torch

from pranc_codec.grid import exact_conv


@pytest.mark.parametrize("size", [1, 3])
def test_sums_are_exact_at_the_bound(size):
    """Inputs and weights of the largest magnitudes that a prior may have."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-127, 128, (1, 110, 9, 12), generator=generator).float()
    w = torch.randint(-127, 128, (9, 110, size, size), generator=generator).float()
    wanted = torch.nn.functional.conv2d(x.double(), w.double(), padding=(0, size // 2))
    assert torch.equal(exact_conv.convolve(x, w).double(), wanted)
    assert torch.equal(exact_conv.convolve_by_products(x, w).double(), wanted)
