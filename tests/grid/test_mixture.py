"""Distributions of symbols, and their bits."""

import pytest
import torch

from pranc_codec.grid import mixture


def test_density_is_a_distribution():
    outputs = torch.tensor([[0.7], [1.3], [-0.4]])
    symbols = torch.arange(-400, 401).float()
    bits = mixture.bits(symbols, outputs.expand(3, 801))
    assert float(torch.exp2(-bits).sum()) == pytest.approx(1, abs=1e-3)


def test_derivatives_of_the_bits_are_autograds():
    torch.manual_seed(0)
    outputs, symbols = 2 * torch.randn(3, 5000), 8 * torch.randn(5000)
    exact_bits, exact_derivatives = bits_and_derivatives_by_autograd(
        symbols.double(), outputs.double()
    )
    bits, derivatives = mixture.bits_and_derivatives(
        symbols.double(), mixture.mixture_of(outputs.double())
    )
    torch.testing.assert_close(bits, exact_bits)
    torch.testing.assert_close(derivatives, exact_derivatives)
    # in float32 as near to that as autograd's
    theirs = bits_and_derivatives_by_autograd(symbols, outputs)
    ours = mixture.bits_and_derivatives(symbols, mixture.mixture_of(outputs))
    for one, other, exactly in zip(ours, theirs, (exact_bits, exact_derivatives), strict=True):
        assert (one - exactly).abs().mean() < 1.5 * (other - exactly).abs().mean()


def bits_and_derivatives_by_autograd(
    symbols: torch.Tensor, outputs: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    symbols.requires_grad_()
    bits = mixture.bits(symbols, outputs)
    (derivatives,) = torch.autograd.grad(bits.sum(), symbols)
    return bits.detach(), derivatives
