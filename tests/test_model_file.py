"""Files of condensed models: what they hold, and that no wrong byte or module gets through."""

import copy
import zlib
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

import pranc_codec
from pranc_codec import (
    BitstreamError,
    CorruptBitstream,
    InvalidArgument,
    LimitExceeded,
    Limits,
    ModelMismatch,
    NotPranc,
    Pranc,
    TruncatedBitstream,
    UnsupportedVersion,
)
from pranc_codec.basis import KINDS
from pranc_codec.format.fields import pack_varint
from pranc_codec.format.sections import pack_sections
from pranc_codec.pranc import file_format
from pranc_codec.pranc.module_tensors import tensors_of
from pranc_codec.pranc.stored_tensors import unpack_tensors

INPUTS = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(1))


def build() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10)
    )


def condensed(module: nn.Module | None = None, **options) -> Pranc:
    """A network with some coefficients and used running statistics."""
    torch.manual_seed(0)
    options = dict(coefficients=90, exclude=["1"], seed=2**40 + 5) | options
    network = Pranc(module or build(), **options)
    network.set_coefficients(torch.randn(options["coefficients"]))
    network(INPUTS)
    return network.eval()


DATA = condensed().to_bytes()


def parts(data: bytes):
    header = file_format.unpack_header(data)
    return header, file_format.unpack_sections(data, header)


def rewrite(data: bytes, payloads=None, **changes) -> bytes:
    """The same file with other header fields or sections, and right checksums."""
    header, old = parts(data)
    return file_format.pack_header(replace(header, **changes)) + pack_sections(payloads or old)


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
    again = Pranc.from_bytes(network.to_bytes(step=0.25), build())
    difference = (network.coefficients() - again.coefficients()).abs().max()
    assert 0.1 < difference <= 0.125
    assert again.to_bytes(step=0.25) == network.to_bytes(step=0.25)


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


def test_every_proper_prefix_is_truncated():
    for length in range(len(DATA)):
        with pytest.raises(TruncatedBitstream):
            Pranc.from_bytes(DATA[:length], build())


def test_every_flipped_bit_is_noticed():
    module = build()
    for position in range(8 * len(DATA)):
        damaged = bytearray(DATA)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(BitstreamError):
            Pranc.from_bytes(bytes(damaged), module)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_arbitrary_bytes(data):
    module = build()
    for text in (data, file_format.SIGNATURE + data, file_format.SIGNATURE + b"\1\0" + data):
        with pytest.raises(BitstreamError):
            Pranc.from_bytes(text, module)


def test_other_formats_and_versions(rgba_file):
    with pytest.raises(NotPranc, match="condensed model"):
        Pranc.from_bytes(rgba_file, build())
    with pytest.raises(NotPranc):
        pranc_codec.decode(DATA)
    version = bytearray(DATA)
    version[8] = 2
    with pytest.raises(UnsupportedVersion, match="upgrade"):
        Pranc.from_bytes(bytes(version), build())
    with pytest.raises(CorruptBitstream, match="follow"):
        Pranc.from_bytes(DATA + b"\0", build())


@pytest.mark.parametrize(
    "changes",
    [
        dict(k=2**32 - 1),
        dict(k=1),
        dict(k=91),
        dict(codes=(*parts(DATA)[0].codes, *parts(DATA)[0].codes), layers=4),
        dict(codes=tuple(replace(code, row=90) for code in parts(DATA)[0].codes)),
        dict(sections=1),
        dict(sections=0),
        dict(codes=()),
    ],
)
def test_lying_headers(changes):
    with pytest.raises(BitstreamError):
        Pranc.from_bytes(rewrite(DATA, **changes), build())


@pytest.mark.parametrize("flags", [17, 32, 128])
def test_illegal_flags(flags):
    header_bytes = parts(DATA)[0].header_bytes - 4
    damaged = DATA[:9] + bytes([flags]) + DATA[10:header_bytes]
    damaged += zlib.crc32(damaged).to_bytes(4, "little") + DATA[header_bytes + 4 :]
    with pytest.raises(CorruptBitstream, match=f"flags.*{flags}|{flags}.*flags"):
        Pranc.from_bytes(damaged, build())


def test_a_lying_number_of_layers_reads_nothing():
    header = parts(DATA)[0]
    lie = file_format.pack_header(replace(header, layers=2**32 - 1, codes=header.codes))
    with pytest.raises(TruncatedBitstream):
        Pranc.from_bytes(lie, build())


@pytest.mark.parametrize(
    "tensors",
    [
        b"",
        b"no zlib",
        zlib.compress(b""),
        zlib.compress(bytes(10**6)),  # a bomb
        zlib.compress(bytes(9)),  # buffers cannot be generated
        zlib.compress(bytes([0, 0, 1, 1, 0, 0, 2, 2, 2])),  # there is no prior
        zlib.compress(bytes([0, 0, 2, 2, 0, 0, 2, 2, 2]) + bytes(32 * 4 + 7)),
        zlib.compress(bytes([0, 0, 2, 2, 0, 0, 2, 2, 3]) + bytes(32 * 4 + 2)),  # half an integer
        zlib.compress(bytes([0, 0, 4, 2, 0, 0, 2, 2, 2]) + bytes(32 * 4 + 8)),
        zlib.compress(bytes([2, 2, 2, 2, 2, 2, 2, 2, 2]) + bytes(4 * (224 + 32 + 1290) + 8)),
    ],
)
def test_lying_tensors(tensors):
    sections = {**parts(DATA)[1], file_format.TENSORS: tensors}
    with pytest.raises(BitstreamError):
        Pranc.from_bytes(rewrite(DATA, sections), build())


def test_lying_coefficients():
    exact = condensed().to_bytes(quantize=False)
    _, sections = parts(exact)
    for coded in (b"", sections[1][:-4], sections[1] + bytes(4), b"\0\0\xc0\x7f" * 90):
        with pytest.raises(CorruptBitstream):
            Pranc.from_bytes(rewrite(exact, {**sections, 1: coded}), build())
    padded = {**parts(DATA)[1], 1: parts(DATA)[1][1] + b"\1"}
    with pytest.raises(CorruptBitstream, match="not what an encoder writes"):
        Pranc.from_bytes(rewrite(DATA, padded), build())


def test_limits_of_dense_products():
    data = condensed(basis="dense").to_bytes()
    with pytest.raises(LimitExceeded, match="multiplications"):
        Pranc.from_bytes(data, build(), limits=Limits(max_macs=1000))


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
        network.to_bytes(step=5)
    network.set_coefficients(torch.full((90,), 1e9))
    with pytest.raises(InvalidArgument, match="larger step"):
        network.to_bytes(step=0.001)
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


def test_half_parameters_are_never_generated():
    """A file that says so is damaged, whatever its checksums."""
    module = nn.Linear(3, 3)
    infos = tensors_of(module.half())
    payload = zlib.compress(bytes(len(infos)))
    with pytest.raises(CorruptBitstream, match="illegal kind 0"):
        unpack_tensors(payload, infos, {})
