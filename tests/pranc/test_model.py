"""PRANC on modules: rebuilding, gradients, memory."""

import copy

import pytest
import torch
from torch import nn

from pranc_codec import InvalidArgument, Pranc
from pranc_codec.basis import KINDS


def small_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


@pytest.fixture(scope="module", params=KINDS)
def trained(request) -> Pranc:
    torch.manual_seed(0)
    network = Pranc(small_network(), coefficients=400, seed=4, basis=request.param)
    inputs, labels = torch.randn(16, 3, 8, 8), torch.randint(0, 10, (16,))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.3)
    for _ in range(20):
        loss = nn.functional.cross_entropy(network(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 1.0  # ln 10 = 2.3 before training
    return network.eval()


def test_only_coefficients_are_trained_and_they_rebuild_the_network(trained):
    assert sum(p.numel() for p in trained.parameters()) == 400
    data = trained.to_bytes(quantize=False, half=False)
    again = Pranc.from_bytes(data, small_network())
    inputs = torch.randn(5, 3, 8, 8)
    assert torch.equal(trained(inputs), again.eval()(inputs))


@pytest.mark.parametrize("kind", KINDS)
def test_seed_decides_the_network(kind):
    one, two = (Pranc(small_network(), coefficients=400, seed=seed, basis=kind) for seed in (4, 5))
    for network in (one, two):
        network.set_coefficients(torch.arange(400.0))
    assert not torch.equal(one.module[0].weight, two.module[0].weight)


def test_gradients_are_those_of_the_explicit_formula(trained):
    network = trained
    inputs = torch.randn(4, 3, 8, 8)
    network.zero_grad()
    network(inputs).square().sum().backward()
    found = torch.cat([layer.coefficients.grad for layer in network.layers])
    network.zero_grad()
    network.module(inputs).square().sum().backward()  # without dropping weights
    expected = torch.cat([layer.coefficients.grad for layer in network.layers])
    torch.testing.assert_close(found, expected)


def test_zero_coefficients_are_the_prior():
    module = small_network()
    prior = copy.deepcopy(module.state_dict())
    network = Pranc(module, coefficients=300, prior=prior)
    assert torch.equal(network.module[4].weight, prior["4.weight"])
    seeded = Pranc(small_network(), coefficients=300)
    assert torch.equal(seeded.module[1].weight, torch.ones(8))
    assert seeded.module[4].weight.abs().max() <= 512**-0.5


def test_parameters_read_by_another_module_work():
    """nn.MultiheadAttention reads its out_proj's parameters itself."""
    network = Pranc(nn.MultiheadAttention(8, 2), coefficients=60)
    x = torch.randn(3, 1, 8)
    network(x, x, x)[0].sum().backward()
    assert all(layer.coefficients.grad is not None for layer in network.layers)


def test_using_substitutes_coefficients_for_a_while():
    network = Pranc(nn.Linear(4, 4), coefficients=20)
    before = network.module.weight
    with network.using([torch.ones(20)]):
        assert not torch.equal(network.module.weight, before)
    assert torch.equal(network.module.weight, before)
    for wrong in ([torch.ones(19)], [torch.ones(20), torch.ones(20)], []):
        with pytest.raises(InvalidArgument, match="expected"), network.using(wrong):
            pass
        assert torch.equal(network.module.weight, before)


def test_excluded_recurrent_modules_work():
    module = nn.ModuleDict({"rnn": nn.GRU(4, 4), "head": nn.Linear(4, 2)})
    network = Pranc(module, coefficients=6, exclude=["rnn"])
    again = Pranc.from_bytes(
        network.to_bytes(half=False, quantize=False),
        nn.ModuleDict({"rnn": nn.GRU(4, 4), "head": nn.Linear(4, 2)}),
    )
    x = torch.randn(3, 1, 4)
    assert torch.equal(again.module["rnn"](x)[0], network.module["rnn"](x)[0])


@pytest.mark.parametrize("kind", ["hash", "dct"])
def test_cached_bases_are_kept_once(kind):
    """12 bytes a weight: forward and backward ask for the same rows."""
    module = nn.Conv2d(160, 160, 3, bias=False)  # of more weights than one block has
    layer = Pranc(module, coefficients=900, basis=kind, cache=True).layers[0]
    layer.tensor("weight", layer.coefficients).sum().backward()
    bases = [layer.basis] if kind == "hash" else layer.basis._parts
    held = [t for basis in bases for pair in basis._cached.values() for t in pair]
    assert sum(t.numel() * t.element_size() for t in held) == 12 * 160 * 160 * 9


class ComplexScale(nn.Module):
    """A real parameter that is used as complex numbers, as Fourier layers do."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5, 3, 2))

    def forward(self, x):
        return x * torch.view_as_complex(self.weight).conj()


def test_gradients_through_complex_views():
    network = Pranc(ComplexScale(), coefficients=7)
    network.set_coefficients(torch.arange(1.0, 8.0))
    gradients = []
    for run in (network, network.module):  # the second keeps weights for backward
        x = torch.ones(5, 3, dtype=torch.complex64).mul_(1 + 2j).requires_grad_()
        run(x).abs().square().sum().backward()
        gradients.append(x.grad)
    assert torch.equal(*gradients)


def test_weights_do_not_outlive_their_layer():
    """Between forward and backward no generated weight is alive, unless cached."""
    network = Pranc(nn.Sequential(*(nn.Linear(256, 256) for _ in range(4))), coefficients=2000)
    made = []
    plain = type(network.layers[0]).tensor

    def counting(layer, name, coefficients):
        out = plain(layer, name, coefficients)
        made.append((name, out.untyped_storage()._weak_ref()))
        return out

    type(network.layers[0]).tensor = counting
    try:
        out = network(torch.randn(2, 256, requires_grad=True))
        alive = [not torch.UntypedStorage._expired(ref) for name, ref in made if name == "weight"]
        assert alive == [False] * 4
        made.clear()
        out.sum().backward()
        assert [name for name, _ in made] == ["weight"] * 4
    finally:
        type(network.layers[0]).tensor = plain


def test_shares_of_unknown_kind_are_refused():
    with pytest.raises(InvalidArgument, match="weights or roots"):
        Pranc(nn.Linear(3, 3), coefficients=5, shares="squares")


def test_refusals():
    with pytest.raises(InvalidArgument, match="use 2 to 8"):
        Pranc(nn.Sequential(nn.Linear(1, 2), nn.Linear(1, 2)), coefficients=1)
    with pytest.raises(InvalidArgument, match="recurrent"):
        Pranc(nn.LSTM(3, 3), coefficients=10)
    with pytest.raises(InvalidArgument, match="no parameter is left"):
        Pranc(nn.Linear(3, 3), coefficients=5, exclude=["*"])
    empty = nn.ParameterDict({"weight": torch.zeros(3, 0), "bias": torch.zeros(3)})
    with pytest.raises(InvalidArgument, match="weight has no elements"):
        Pranc(empty, coefficients=3)
    with pytest.raises(InvalidArgument, match="wieght"):
        Pranc(nn.Linear(3, 3), coefficients=5, scales={"wieght": 2.0})
    with pytest.raises(InvalidArgument, match="leave it out"):
        Pranc(nn.Linear(3, 3), coefficients=5).to_bytes(quantize=False, q_step=0.1)
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    layer, alias = nn.Linear(3, 3), nn.Linear(3, 3, bias=False)
    alias.other = alias.weight
    for module in (tied, nn.Sequential(layer, nn.ReLU(), layer), alias):
        with pytest.raises(InvalidArgument, match="in two places"):
            Pranc(module, coefficients=10)
    with pytest.raises(InvalidArgument, match="expected"):
        Pranc(nn.Linear(3, 3), coefficients=5).set_coefficients(torch.zeros(6))


def test_scales_and_device_of_the_module_are_kept():
    scales = {"weight": 0.5, "bias": 0.25}
    network = Pranc(nn.Linear(4, 4), coefficients=20, scales=scales)
    network.set_coefficients(torch.arange(20.0))
    again = Pranc.from_bytes(network.to_bytes(quantize=False), nn.Linear(4, 4), scales=scales)
    assert torch.equal(again.module.weight, network.module.weight)
    with torch.device("meta"):
        module = nn.Linear(4, 4)
    assert Pranc(module, coefficients=20).layers[0].coefficients.is_meta


def test_weights_by_name():
    network = Pranc(small_network(), coefficients=300)
    plain = small_network()
    weights = network.weights()
    assert not any(weight.requires_grad for weight in weights.values())
    plain.load_state_dict(weights)
    inputs = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(plain.eval()(inputs), network.eval()(inputs))


def test_hold_is_the_old_name_of_cache(tmp_path):
    with pytest.warns(DeprecationWarning, match="hold= is now called cache="):
        network = Pranc(nn.Linear(3, 3), coefficients=5, hold=True)
    network.save(tmp_path / "model.prw")
    made = [network]
    sources = ((Pranc.load, tmp_path / "model.prw"), (Pranc.from_bytes, network.to_bytes()))
    for read, source in sources:
        with pytest.warns(DeprecationWarning, match="hold= is now called cache=") as warned:
            made.append(read(source, nn.Linear(3, 3), hold=True))
        assert len(warned) == 1
    assert [one.layers[0].cache for one in made] == [True] * 3
    with pytest.raises(TypeError, match="hold"):
        Pranc(nn.Linear(3, 3), coefficients=5, hold=True, cache=True)


def test_step_is_the_old_name_of_q_step(tmp_path):
    network = Pranc(nn.Linear(3, 3), coefficients=5)
    network.set_coefficients(torch.arange(5.0))
    with pytest.warns(DeprecationWarning, match="step= is now called q_step="):
        data = network.to_bytes(step=0.25)
    with pytest.warns(DeprecationWarning, match="step= is now called q_step="):
        network.save(tmp_path / "model.prw", step=0.25)
    assert data == (tmp_path / "model.prw").read_bytes() == network.to_bytes(q_step=0.25)
