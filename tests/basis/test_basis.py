"""Bases against matrices written out, and against numbers that must never change."""

import hashlib

import pytest
import torch

from pranc_codec.basis import KINDS, make_basis
from pranc_codec.basis.dct import DctBasis, cosines, importances
from pranc_codec.basis.permutation import permute
from pranc_codec.basis.signs import random_signs
from pranc_codec.errors import InvalidArgument
from pranc_codec.pranc.model import Pranc

FIRST = (11, 3, 3, 3)  # of 301 weights 297 are in 33 kernels of 3x3


def basis_of(kind: str, k: int = 70, **options):
    return make_basis(kind, 301, k, seed=5, layer=2, first_shape=FIRST, **options)


def matrix(basis) -> torch.Tensor:
    columns = [basis.expand(e, 0, basis.weights) for e in torch.eye(basis.coefficients)]
    return torch.stack(columns, dim=1)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 12, 100, 997, 65537])
def test_permutation_is_a_bijection(size):
    out = permute(torch.arange(size), size, seed=1, layer=2)
    assert torch.equal(out.sort().values, torch.arange(size))


def test_permutation_looks_random():
    size = 10_000
    out = permute(torch.arange(size), size, seed=1, layer=0).double()
    neighbours = torch.corrcoef(torch.stack([out[:-1], out[1:]]))[0, 1]
    assert abs(neighbours) < 0.05
    other = permute(torch.arange(size), size, seed=2, layer=0)
    assert (out == other).float().mean() < 0.01


def test_hash_basis_is_balanced_and_orthogonal():
    dense = matrix(make_basis("hash", 300, 70, seed=5, layer=2))
    counts = dense.abs().sum(0)
    assert set(counts.tolist()) == {4.0, 5.0}
    assert torch.equal(dense.abs().sum(1), torch.ones(300))
    assert torch.equal(dense.T @ dense, torch.diag(counts))


def test_dense_basis_has_unit_variance():
    dense = matrix(make_basis("dense", 200, 50, seed=5, layer=2))
    torch.testing.assert_close(dense.abs(), torch.full_like(dense, 50**-0.5))
    assert abs(dense.mean()) < 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_project_is_the_transpose_and_slices_agree(kind):
    basis = basis_of(kind)
    dense, gradient = matrix(basis), torch.randn(301)
    coefficients = torch.randn(70)
    torch.testing.assert_close(basis.project(gradient, 0), dense.T @ gradient)
    torch.testing.assert_close(basis.project(gradient[40:90], 40), dense[40:90].T @ gradient[40:90])
    for start, stop in ((33, 77), (290, 301), (298, 300)):
        expected = dense[start:stop] @ coefficients
        torch.testing.assert_close(basis.expand(coefficients, start, stop), expected)


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_blocks_do_not_change_the_result(kind, cache, monkeypatch):
    """Neither of a basis nor of a layer; blocks end inside kernels."""
    coefficients, gradient, found = torch.randn(70), torch.randn(3, 11, 3, 3), []
    for size in (None, 40):
        if size:
            monkeypatch.setattr("pranc_codec.basis.dense.BLOCK_ENTRIES", 70 * size)
            monkeypatch.setattr("pranc_codec.basis.hash.BLOCK_ROWS", size)
            monkeypatch.setattr("pranc_codec.pranc.layers.BLOCK_ROWS", size)
        network = Pranc(torch.nn.Conv2d(11, 3, 3), coefficients=70, basis=kind, cache=cache)
        network.set_coefficients(coefficients)
        weights = network.module.weight
        (weights * gradient).sum().backward()
        found.append((weights.detach(), network.layers[0].coefficients.grad, network.module.bias))
    for whole, blocks in zip(*found, strict=True):
        torch.testing.assert_close(whole, blocks)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient(kind):
    """Of a layer's weights, prior + scale * basis @ coefficients."""
    convolution = torch.nn.Conv2d(2, 3, (3, 2), bias=False)
    network = Pranc(convolution, coefficients=7, seed=1, basis=kind)
    (layer,) = network.layers
    scale = layer.slices["weight"].scale
    network.set_coefficients(torch.randn(7))
    weights = network.module.weight
    weights.square().sum().backward()
    dense, found = scale * matrix(layer.basis), layer.coefficients
    torch.testing.assert_close(weights - layer.prior("weight"), (dense @ found).view(3, 2, 3, 2))
    torch.testing.assert_close(found.grad, 2 * dense.T @ weights.view(-1))


def test_threads_do_not_change_a_bit(monkeypatch):
    monkeypatch.setattr("pranc_codec.basis.dense.PIECE_ENTRIES", 1000)
    basis = basis_of("dense")
    coefficients, gradient, before = torch.randn(70), torch.randn(301), torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append((basis.expand(coefficients, 0, 301), basis.project(gradient, 0)))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_weights_are_exact_for_coefficients_with_a_step():
    """Sums in float64 of integers times a step: any order gives the same numbers."""
    coefficients = torch.randint(-1000, 1000, (700,)) * 0.375
    basis = make_basis("dense", 2000, 700, seed=5, layer=2)
    ((*_, rows),) = basis.blocks(0, 300, torch.device("cpu"), torch.float64)
    order = torch.randperm(700)
    sums = (rows[:, order] * coefficients[order].double()).sum(1) / 700**0.5
    assert torch.equal(basis.expand(coefficients, 0, 300), sums.float())


@pytest.mark.parametrize("kind", KINDS)
def test_caching_changes_nothing(kind):
    coefficients = torch.randn(70)
    made, cached = basis_of(kind), basis_of(kind, cache=True)
    for _ in range(2):
        assert torch.equal(made.expand(coefficients, 9, 200), cached.expand(coefficients, 9, 200))


@pytest.mark.parametrize("k", [1, 5, 70, 200, 301])
def test_dct_basis_is_orthogonal_and_prefers_low_frequencies(k):
    dense = matrix(basis_of("dct", k, cache=True)).double()
    lengths = dense.square().sum(0)
    torch.testing.assert_close(dense.T @ dense, torch.diag(lengths), rtol=0, atol=1e-6)
    kernels = dense[:297].view(33, 3, 3, -1)
    means = kernels.sum((1, 2)).square().sum() / 9
    assert means > kernels.square().sum() / 5 or k == 301  # of nine frequencies, the lowest
    if k == 301:  # as many as weights: any weights can be reached
        assert torch.linalg.matrix_rank(dense) == 301


def test_dct_basis_has_unit_variance():
    """Kernels with coefficients of variance one have it too, on average over their entries."""
    dense = matrix(basis_of("dct", 280, cache=True))[:297]
    assert float(dense.square().sum(1).mean()) == pytest.approx(1)


def test_dct_basis_shares_fall_with_the_frequency():
    """The lowest frequency has eight times the coefficients of the highest along a dimension."""
    basis = make_basis("dct", 36_864, 1000, seed=0, layer=0, first_shape=(64, 64, 3, 3))
    shares = [part.coefficients for part in basis._parts]
    assert shares == [458, 162, 57, 162, 57, 20, 57, 20, 7]
    assert importances((1,)) == importances((1, 1))
    assert len(importances((7, 5))) == 35


def test_cosine_transform_is_orthonormal():
    for length in (1, 2, 3, 7):
        matrix_ = torch.tensor(cosines(length), dtype=torch.float64)
        torch.testing.assert_close(
            matrix_ @ matrix_.T, torch.eye(length, dtype=torch.float64), rtol=0, atol=1e-9
        )


@pytest.mark.parametrize("first", [(301,), (43, 7), (43, 7, 1, 1), (1, 1, 65, 65)])
def test_layers_without_kernels_have_the_hash_basis(first):
    weights = torch.Size(first).numel()
    made = [
        make_basis(kind, weights, 70, seed=5, layer=2, first_shape=first)
        for kind in ("dct", "hash")
    ]
    assert not isinstance(made[0], DctBasis)
    coefficients = torch.randn(70)
    assert torch.equal(*(basis.expand(coefficients, 0, weights) for basis in made))


def test_bases_are_part_of_the_format():
    """These numbers are in every file ever written: they may not change."""
    signs = random_signs(1000, 3000, seed=7, stream=1, layer=4, device=torch.device("cpu"))
    places = permute(torch.arange(5000), 5000, seed=7, layer=4)
    pinned = hashlib.sha256(signs.to(torch.int8).numpy().tobytes() + places.numpy().tobytes())
    assert pinned.hexdigest()[:32] == "43750b73631dbeea11e6571106f6e72b"
    weights = basis_of("dct").expand(torch.arange(70.0) - 35, 0, 301)
    pinned = hashlib.sha256(weights.numpy().tobytes())
    assert pinned.hexdigest()[:32] == "e145d24c07458475193ed602eb807ef3"


@pytest.mark.parametrize(("kind", "k"), [("hash", 0), ("hash", 11), ("dense", 0), ("fourier", 5)])
def test_wrong_arguments(kind, k):
    with pytest.raises(InvalidArgument):
        make_basis(kind, 10, k, seed=0, layer=0)
