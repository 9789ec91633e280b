"""Devices: fake CUDA tensors where there is no GPU, real ones where there is."""

import time

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily

import pranc_codec
from pranc_codec import basis, bitstream, coordinate, decoder, layers, prng, quantize

SHAPE = coordinate.Shape(features=8, bandwidth=9.0, width=6, depth=2, colours=3)


@pytest.fixture
def fake():
    """Tensors without memory that may say they are on a GPU. A CPU build of torch has neither
    their gradients nor their indexing with brackets, so the stages are tested without both."""
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
        yield mode


def cuda_zeros(*shape, **options):
    return torch.zeros(*shape, device="cuda", **options)


def fake_network(kind: str) -> torch.nn.Module:
    """A network made on the CPU, with all its tensors replaced by zeros on the fake GPU."""
    parameters = bitstream.MlpParameters(
        prior=0, basis=kind, features=8, bandwidth=51, width=6, depth=2, k=60, layers=()
    )
    with unset_fake_temporarily():
        network = decoder.build_network(SHAPE, parameters, 0, hold=True)
    for module in network.modules():
        for name, tensor in module._parameters.items():
            module._parameters[name] = torch.nn.Parameter(cuda_zeros(tensor.shape))
        for name, tensor in module._buffers.items():
            module._buffers[name] = cuda_zeros(tensor.shape)
    return network


def test_the_check_can_fail(fake):
    with pytest.raises(RuntimeError, match="same device"):
        cuda_zeros(3) + torch.zeros(3)


@pytest.mark.parametrize("kind", ["hash", "dense"])
def test_rendering_mixes_no_devices(fake, kind):
    """Header and symbols are read on the CPU; from the coefficients on, all is on the device."""
    network = fake_network(kind)
    for layer in network.layers:
        for s in layer.slices.values():  # recorded: making a permutation reads values
            rows = cuda_zeros(s.stop - s.start, dtype=torch.int64), cuda_zeros(s.stop - s.start)
            getattr(layer.basis, "_held", {})[s.start, s.stop, torch.device("cuda:0")] = rows
    out = coordinate.render(network, (16, 9), (1, 2, 9, 8), torch.device("cuda"), channels=8)
    assert out.device.type == "cuda"
    assert out.shape == (6, 8, 3)


@pytest.mark.parametrize("kind", ["hash", "dense"])
def test_projecting_mixes_no_devices(fake, kind):
    made = basis.make_basis(kind, 50, 20, seed=1, layer=0, hold=True)
    rows = cuda_zeros(50, dtype=torch.int64), cuda_zeros(50)
    getattr(made, "_held", {})[0, 50, torch.device("cuda:0")] = rows
    assert made.project(cuda_zeros(50), 0).device.type == "cuda"


def test_quantization_mixes_no_devices(fake):
    symbols = quantize.round_straight_through(cuda_zeros(9))
    assert quantize.rate_bits(symbols).device.type == "cuda"


def test_random_numbers_are_made_on_the_device(fake):
    words = prng.random_words(torch.arange(5, device="cuda"), seed=1, stream=0)
    assert {w.device.type for w in words} == {"cuda"}
    device = torch.device("cuda")
    assert basis.random_signs(3, 400, seed=1, stream=1, layer=0, device=device).is_cuda
    assert layers.seeded_uniform(3, 40, seed=1, layer=0, device=device).is_cuda


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_decodes_the_same_pixels(encoded, capsys):
    seconds = {}
    for device in ("cpu", "cuda"):
        pranc_codec.decode_array(encoded, device=device)
        start = time.perf_counter()
        pixels = pranc_codec.decode_array(encoded, device=device, size=(768, 512)).astype(int)
        seconds[device] = time.perf_counter() - start
        reference = pixels if device == "cpu" else reference  # noqa: F821
    assert np.abs(pixels - reference).max() <= 1
    with capsys.disabled():
        print(f"\ndecode 768x512: {seconds}")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_bases_are_the_same():
    for kind in ("hash", "dense"):
        made = basis.make_basis(kind, 500, 100, seed=3, layer=1)
        coefficients = torch.arange(100.0)
        ours = made.expand(coefficients, 0, 500)
        theirs = made.expand(coefficients.cuda(), 0, 500).cpu()
        torch.testing.assert_close(ours, theirs)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_encodes(photo):
    data = pranc_codec.encode(photo, bpp=1.0, effort=0, device="cuda")
    cpu = pranc_codec.decode_array(data, device="cpu").astype(int)
    assert np.abs(cpu - pranc_codec.decode_array(data, device="cuda")).max() <= 1
