"""Bases against matrices written out, and against numbers that must never change."""

import hashlib

import pytest
import torch

from pranc_codec.basis import make_basis, permute, random_signs
from pranc_codec.errors import InvalidArgument
from pranc_codec.pranc import Pranc

KINDS = ["hash", "dense"]


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
    basis = make_basis(kind, 301, 70, seed=5, layer=2)
    dense, gradient = matrix(basis), torch.randn(301)
    coefficients = torch.randn(70)
    torch.testing.assert_close(basis.project(gradient, 0), dense.T @ gradient)
    torch.testing.assert_close(basis.project(gradient[40:90], 40), dense[40:90].T @ gradient[40:90])
    torch.testing.assert_close(basis.expand(coefficients, 33, 77), dense[33:77] @ coefficients)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_do_not_change_the_result(kind, monkeypatch):
    coefficients = torch.randn(70)
    whole = make_basis(kind, 301, 70, seed=5, layer=2).expand(coefficients, 0, 301)
    monkeypatch.setattr("pranc_codec.basis.BLOCK_ENTRIES", 1000)
    blocks = make_basis(kind, 301, 70, seed=5, layer=2).expand(coefficients, 0, 301)
    torch.testing.assert_close(whole, blocks)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient(kind):
    """Of a layer's weights, prior + scale * basis @ coefficients."""
    network = Pranc(torch.nn.Linear(6, 5, bias=False), coefficients=7, seed=1, basis=kind)
    (layer,) = network.layers
    scale = layer.slices["weight"].scale
    network.set_coefficients(torch.randn(7))
    weights = network.module.weight
    weights.square().sum().backward()
    dense, found = scale * matrix(layer.basis), layer.coefficients
    torch.testing.assert_close(weights - layer.prior("weight"), (dense @ found).view(5, 6))
    torch.testing.assert_close(found.grad, 2 * dense.T @ weights.view(-1))


@pytest.mark.parametrize("kind", KINDS)
def test_threads_do_not_change_a_bit(kind, monkeypatch):
    monkeypatch.setattr("pranc_codec.basis.PIECE_ENTRIES", 1000)
    basis = make_basis(kind, 301, 70, seed=5, layer=2)
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


def test_holding_changes_nothing():
    coefficients = torch.randn(70)
    made = make_basis("hash", 301, 70, seed=5, layer=2)
    held = make_basis("hash", 301, 70, seed=5, layer=2, hold=True)
    for _ in range(2):
        assert torch.equal(made.expand(coefficients, 9, 200), held.expand(coefficients, 9, 200))


def test_bases_are_part_of_the_format():
    """These numbers are in every file ever written: they may not change."""
    signs = random_signs(1000, 3000, seed=7, stream=1, layer=4, device=torch.device("cpu"))
    places = permute(torch.arange(5000), 5000, seed=7, layer=4)
    pinned = hashlib.sha256(signs.to(torch.int8).numpy().tobytes() + places.numpy().tobytes())
    assert pinned.hexdigest()[:32] == "43750b73631dbeea11e6571106f6e72b"


@pytest.mark.parametrize(("kind", "k"), [("hash", 0), ("hash", 11), ("dense", 0), ("fourier", 5)])
def test_wrong_arguments(kind, k):
    with pytest.raises(InvalidArgument):
        make_basis(kind, 10, k, seed=0, layer=0)
