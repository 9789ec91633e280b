"""Files of condensed models: what they hold, and which modules and priors they fit."""

import copy

import pytest
import torch
from torch import nn

from pranc_codec import (
    InvalidArgument,
    ModelMismatch,
    Pranc,
)
from pranc_codec.basis import KINDS
from pranc_codec.format.fields import pack_varint
from pranc_codec.pranc import file_format
from tests.pranc.condensed import DATA, INPUTS, build, condensed, parts


@pytest.mark.parametrize("basis", KINDS)
@pytest.mark.parametrize("exclude", [(), ["1"], lambda name, p: p.dim() < 2])
def test_float32_file_is_the_same_network(basis, exclude, tmp_path):
    network = condensed(basis=basis, exclude=exclude)
    network.save(tmp_path / "model.prw", quantize=False, half=False)
    again = Pranc.load(tmp_path / "model.prw", build()).eval()
    assert torch.equal(network(INPUTS), again(INPUTS))
    assert again.counts == network.counts


def test_quantized_coefficients_are_off_by_half_a_step():
    network = condensed()
    again = Pranc.from_bytes(network.to_bytes(q_step=0.25), build())
    difference = (network.coefficients() - again.coefficients()).abs().max()
    assert 0.1 < difference <= 0.125
    assert again.to_bytes(q_step=0.25) == network.to_bytes(q_step=0.25)


def test_counts():
    counts = condensed().counts
    assert (counts.coefficients, counts.excluded, counts.buffers) == (90, 16, 17)
    assert counts.total == 123


def test_bytes_of_a_file():
    """Coefficients dominate: what stands beside them is counted and small."""
    header, sections = parts(condensed(coefficients=1000).to_bytes())
    assert len(sections[file_format.COEFFICIENTS]) < 1000 * 6.4 / 8
    assert header.header_bytes + len(sections[file_format.TENSORS]) < 120


def test_the_module_may_be_on_the_meta_device():
    network = condensed()
    with torch.device("meta"):
        empty = build()
    again = Pranc.from_bytes(network.to_bytes(quantize=False, half=False), empty).eval()
    assert torch.equal(network(INPUTS), again(INPUTS))


def test_a_difference_from_a_shared_model():
    shared = build()
    shared(INPUTS)
    prior = copy.deepcopy(shared.state_dict())
    network = Pranc(shared, coefficients=90, exclude=["1"], prior=prior).eval()
    unchanged = network.to_bytes()
    assert len(unchanged) < 80  # statistics are as in the prior
    again = Pranc.from_bytes(unchanged, build(), prior=prior).eval()
    assert torch.equal(again(INPUTS), network(INPUTS))
    network.set_coefficients(torch.randn(90))
    network.train()(INPUTS)
    changed = network.to_bytes(quantize=False, half=False)
    again = Pranc.from_bytes(changed, build(), prior=prior).eval()
    assert torch.equal(again(INPUTS), network.eval()(INPUTS))


def test_wrong_priors():
    prior = build().state_dict()
    data = condensed(prior=prior).to_bytes()
    with pytest.raises(ModelMismatch, match="give it as prior="):
        Pranc.from_bytes(data, build())
    with pytest.raises(ModelMismatch, match="another prior"):
        Pranc.from_bytes(data, build(), prior=build().state_dict())
    with pytest.raises(ModelMismatch, match="without a prior"):
        Pranc.from_bytes(DATA, build(), prior=prior)
    with pytest.raises(InvalidArgument, match="4.bias is missing"):
        Pranc(build(), coefficients=90, prior={n: t for n, t in prior.items() if n != "4.bias"})
    with pytest.raises(InvalidArgument, match=r"\(8, 3, 3, 3\)"):
        Pranc(build(), coefficients=90, prior=prior | {"0.weight": torch.zeros(2)})


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(4, 4),
        nn.Sequential(*build()[:4], nn.Linear(128, 11)),
        nn.Sequential(*build()[:4], nn.Linear(128, 10, bias=False)),
    ],
)
def test_wrong_modules(module):
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(ModelMismatch, match="another module"):
        Pranc.from_bytes(DATA, module)
    assert all(torch.equal(before[name], t) for name, t in module.state_dict().items())


def test_wrong_scales():
    data = condensed(scales={"0.weight": 0.5}).to_bytes()
    with pytest.raises(ModelMismatch, match="scales"):
        Pranc.from_bytes(data, build())
    assert Pranc.from_bytes(data, build(), scales={"0.weight": 0.5}).counts.coefficients == 90


def test_types_of_excluded_tensors_and_buffers():
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)
            self.table = nn.Embedding(4, 3).to(torch.bfloat16)
            self.register_buffer("mask", torch.tensor([True, False]))
            self.register_buffer("large", torch.tensor([1e30, 1.0]))
            self.register_buffer("empty", torch.zeros(0))
            self.register_buffer("scratch", torch.zeros(3), persistent=False)
            self.register_buffer("third", torch.tensor(1 / 3, dtype=torch.float64))

    network = Pranc(Mixed(), coefficients=5, exclude=["table"])
    again = Pranc.from_bytes(network.to_bytes(half=False), Mixed())
    for name, tensor in network.module.state_dict().items():
        assert torch.equal(again.module.state_dict()[name], tensor)
    halved = Pranc.from_bytes(network.to_bytes(), Mixed()).module
    assert torch.equal(halved.large, network.module.large)  # beyond float16
    assert halved.third == torch.tensor(1 / 3).half().double()


def test_refusals_of_writing():
    network = condensed()
    with pytest.raises(InvalidArgument, match="step"):
        network.to_bytes(q_step=5)
    network.set_coefficients(torch.full((90,), 1e9))
    with pytest.raises(InvalidArgument, match="larger step"):
        network.to_bytes(q_step=0.001)
    network.set_coefficients(torch.full((90,), torch.nan))
    with pytest.raises(InvalidArgument, match="not finite"):
        network.to_bytes()


def test_refusals_of_modules():
    with pytest.raises(InvalidArgument, match="'bn'"):
        Pranc(build(), coefficients=90, exclude=["bn"])
    with pytest.raises(InvalidArgument, match="module.float"):
        Pranc(nn.Linear(3, 3).half(), coefficients=2)
    with pytest.raises(InvalidArgument, match="seed"):
        Pranc(nn.Linear(3, 3), coefficients=2, seed=-1)
    with pytest.raises(InvalidArgument, match="no parameter is left"):
        Pranc(nn.Linear(3, 3), coefficients=2, exclude=["*"])
    module = nn.Linear(3, 3)
    data = Pranc(nn.Linear(3, 3), coefficients=2).to_bytes()
    module.register_buffer("scratch", torch.zeros(3, device="meta"), persistent=False)
    with pytest.raises(InvalidArgument, match="scratch"):
        Pranc.from_bytes(data, module)


def test_varints_of_seeds():
    data = condensed(seed=2**64 - 1).to_bytes()
    assert data[10:20] == pack_varint(2**32 - 1) * 2
    assert Pranc.from_bytes(data, build()).seed == 2**64 - 1
