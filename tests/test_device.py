"""Devices: fake CUDA tensors where there is no GPU, real ones where there is."""

import time

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily

import pranc_codec
from pranc_codec import basis
from pranc_codec.basis import prng, signs
from pranc_codec.encoder.grid import fit_latents
from pranc_codec.encoder.grid.soft_rounding import Softness, softly_rounded
from pranc_codec.format.parameters import MlpParameters
from pranc_codec.grid import (
    blocks,
    context,
    context_int,
    context_int_net,
    decode as grid_decode,
    enhancement,
    mixture,
    opponent,
    prior as priors,
    wavelet,
)
from pranc_codec.mlp import coordinate_network, decode as mlp_decode
from pranc_codec.pranc import layers, rate_model

SHAPE = coordinate_network.Shape(features=8, bandwidth=9.0, width=6, depth=2, colours=3)


@pytest.fixture
def fake(monkeypatch):
    """Tensors without memory that may say they are on a GPU. A CPU build of torch does not have
    their gradients, so the stages are tested without; their indexing with brackets and
    `contiguous` go through a device guard that it does not have, so both are replaced."""
    monkeypatch.setattr(torch.Tensor, "__getitem__", indexed)
    monkeypatch.setattr(torch.Tensor, "__setitem__", lambda x, key, v: indexed(x, key).add_(v))
    monkeypatch.setattr(torch.Tensor, "contiguous", lambda x, **_: x)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
        yield mode


def indexed(x: torch.Tensor, key: object) -> torch.Tensor:
    """x[key] for integers, slices, None, an ellipsis and a list."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in keys:
        place = keys.index(Ellipsis)
        missing = x.dim() - sum(k is not None and k is not Ellipsis for k in keys)
        keys[place : place + 1] = [slice(None)] * missing
    dim = 0
    for k in keys:
        if k is None:
            x = x.unsqueeze(dim)
        elif isinstance(k, int):
            x = x.select(dim, k)
            continue
        elif isinstance(k, list):
            x = torch.stack([x.select(dim, i) for i in k], dim)
        else:
            start, stop, step = k.indices(x.shape[dim])
            x = torch.ops.aten.slice(x, dim, start, stop, step)
        dim += 1
    return x


def cuda_zeros(*shape, **options):
    return torch.zeros(*shape, device="cuda", **options)


def fake_network(kind: str) -> torch.nn.Module:
    """A network made on the CPU, with all its tensors replaced by zeros on the fake GPU."""
    parameters = MlpParameters(
        prior=0, basis=kind, features=8, bandwidth=51, width=6, depth=2, k=60, layers=()
    )
    with unset_fake_temporarily():
        network = mlp_decode.build_network(SHAPE, parameters, 0, cache=True)
    return on_fake_gpu(network)


def test_indexing_stands_in_for_brackets():
    x = torch.arange(120).view(4, 5, 6)
    for key in (
        1,
        (slice(1, 3), None, 2),
        (..., slice(None, None, 2)),
        (0, ..., slice(-2, None)),
        ([2, 0], 1),
    ):
        assert torch.equal(indexed(x, key), x[key])


def test_the_check_can_fail(fake):
    with pytest.raises(RuntimeError, match="same device"):
        cuda_zeros(3) + torch.zeros(3)


@pytest.mark.parametrize("kind", ["hash", "dense"])
def test_rendering_mixes_no_devices(fake, kind):
    """Header and symbols are read on the CPU; from the coefficients on, all is on the device."""
    network = fake_network(kind)
    for layer in network.layers:
        count = layer.basis.weights  # recorded: making a permutation reads values
        rows = cuda_zeros(count, dtype=torch.int64), cuda_zeros(count)
        getattr(layer.basis, "_cached", {})[0, torch.device("cuda:0")] = rows
    out = coordinate_network.render(
        network, (16, 9), (1, 2, 9, 8), torch.device("cuda"), channels=8
    )
    assert out.device.type == "cuda"
    assert out.shape == (6, 8, 3)


@pytest.mark.parametrize("kind", basis.KINDS)
def test_bases_mix_no_devices(fake, kind):
    made = basis.make_basis(kind, 50, 20, seed=1, layer=0, cache=True, first_shape=(3, 5, 3))
    for part in filter(None, getattr(made, "_parts", [made])):
        rows = cuda_zeros(part.weights, dtype=torch.int64), cuda_zeros(part.weights)
        getattr(part, "_cached", {})[0, torch.device("cuda:0")] = rows
    assert made.expand(cuda_zeros(20), 0, 50).device.type == "cuda"
    assert made.project(cuda_zeros(50), 0).device.type == "cuda"


def test_quantization_mixes_no_devices(fake):
    symbols = rate_model.round_straight_through(cuda_zeros(9))
    assert rate_model.rate_bits(symbols).device.type == "cuda"


def test_random_numbers_are_made_on_the_device(fake):
    words = prng.random_words(torch.arange(5, device="cuda"), seed=1, stream=0)
    assert {w.device.type for w in words} == {"cuda"}
    device = torch.device("cuda")
    assert signs.random_signs(3, 400, seed=1, stream=1, layer=0, device=device).is_cuda
    assert layers.seeded_uniform(3, 40, seed=1, layer=0, device=device).is_cuda


def on_fake_gpu(module: torch.nn.Module) -> torch.nn.Module:
    """The module with all its tensors replaced by zeros on the fake GPU."""
    for part in module.modules():
        for name, tensor in part._parameters.items():
            if tensor is not None:
                part._parameters[name] = torch.nn.Parameter(cuda_zeros(tensor.shape))
        for name, tensor in part._buffers.items():
            part._buffers[name] = cuda_zeros(tensor.shape)
    return module


def fake_pyramid(height: int, width: int, **options) -> wavelet.Pyramid:
    grids = wavelet.grids(height, width)
    return wavelet.Pyramid(
        approximation=cuda_zeros(1, 3, *grids[0], **options),
        bands=tuple(cuda_zeros(1, 3, 3, *grid, **options) for grid in grids),
    )


@pytest.fixture
def fake_context_model() -> context.ContextModel:
    return context.ContextModel()


def test_wavelets_mix_no_devices(fake):
    pyramid = wavelet.analyze(opponent.to_opponent(cuda_zeros(1, 3, 33, 40)))
    assert all(t.is_cuda for t in pyramid.tensors)
    assert opponent.to_rgb(wavelet.synthesize(pyramid, 33, 40)).is_cuda


def test_enhancement_mixes_no_devices(fake):
    with unset_fake_temporarily():
        network = enhancement.EnhancementNetwork()
    pyramid, step = fake_pyramid(33, 40), cuda_zeros(1) + 0.1
    linear = wavelet.synthesize(pyramid, 33, 40)
    out = enhancement.enhanced(
        on_fake_gpu(network), linear, pyramid.bands[-1], pyramid.bands[-2], step
    )
    assert out.is_cuda
    assert out.shape == (1, 3, 33, 40)


def test_biases_with_coefficients_mix_no_devices(fake):
    with unset_fake_temporarily():
        network = grid_decode.build_network(priors.plain().number, 100, seed=0)
    on_fake_gpu(network)
    (layer,) = network.biases.layers
    count = priors.plain().biases_count
    rows = cuda_zeros(count, dtype=torch.int64), cuda_zeros(count)
    layer.basis._cached[0, torch.device("cuda:0")] = rows
    with network.biases.using([torch.zeros_like(next(network.biases.parameters()))]):
        assert network(cuda_zeros(1, enhancement.input_channels(3), 9, 8)).is_cuda


def test_context_model_mixes_no_devices(fake_context_model, fake):
    model = fake_context_model
    coarse, fine = fake_pyramid(33, 40).bands[-2:]
    approximation = cuda_zeros(1, 3, *fine.shape[3:])
    outputs = on_fake_gpu(model).level(fine, approximation, coarse, None, cuda_zeros(1), 0)
    assert mixture.bits(fine, outputs.movedim(3, 0)).is_cuda


def test_fits_mix_no_devices(fake_context_model, fake):
    with unset_fake_temporarily():
        network = enhancement.EnhancementNetwork()
    problem = fit_latents.LatentProblem(
        opponent=cuda_zeros(1, 3, 33, 40), y=fake_pyramid(33, 40), colours=3, q_step_code=-200,
        lmbda_steps2=0.1, context=on_fake_gpu(fake_context_model), enhancement=on_fake_gpu(network),
        coefficient_q_step=2.0,
    )  # fmt: skip
    latents = list(problem.y.bands)
    outputs = fit_latents.outputs_of(problem, latents)
    correction = fit_latents._correction(problem, latents)
    assert fit_latents._lost(problem, latents, correction).is_cuda
    assert fit_latents.bits_of(problem, latents, outputs).is_cuda
    soft = softly_rounded(latents, fit_latents._masks(problem), Softness(0.2, 0.1), None)
    assert all(t.is_cuda for part in soft for t in part)
    distributions = mixture.mixture_of(outputs[-1])
    assert all(t.is_cuda for t in mixture.bits_and_derivatives(latents[-1], distributions))


def test_phases_mix_no_devices(fake):
    """Between two steps: symbols in, outputs out. Distributions are read on the CPU."""
    shapes = dict(first=(64, 83, 3, 3), direct=(9, 83, 3, 3), second=(64, 64, 3, 3),
                  third=(64, 64, 1, 1), last=(9, 64, 1, 1))  # fmt: skip
    vectors = tuple(cuda_zeros(n, 1, 1) for n in (64, 64, 64, 9))
    step = context_int_net.PhaseNetwork(
        **{name: cuda_zeros(shape) for name, shape in shapes.items()},
        biases=vectors,
        scales=vectors,
    )
    maps = context_int.joined([cuda_zeros(1, 83, 10, 12, dtype=torch.int8)])
    assert context_int_net.run_phase(step, maps, (10, 12), 48).is_cuda
    approximation = context_int.log_integers(
        blocks.space_to_depth(blocks.approximation_gradients(cuda_zeros(1, 1, 9, 9).long())), 6
    )
    assert approximation.is_cuda


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["encoded", "grid_file"])
def test_cuda_decodes_the_same_pixels(name, request, capsys):
    encoded = request.getfixturevalue(name)
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
    for kind in basis.KINDS:
        made = basis.make_basis(kind, 500, 100, seed=3, layer=1, first_shape=(5, 10, 3, 3))
        coefficients = torch.arange(100.0)
        ours = made.expand(coefficients, 0, 500)
        theirs = made.expand(coefficients.cuda(), 0, 500).cpu()
        torch.testing.assert_close(ours, theirs)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("profile", "effort"), [("grid", 1), ("grid", 3), ("mlp", 1)])
def test_cuda_encodes(photo, profile, effort):
    data = pranc_codec.encode(photo, profile=profile, bpp=1.0, effort=effort, device="cuda")
    cpu = pranc_codec.decode_array(data, device="cpu").astype(int)
    assert np.abs(cpu - pranc_codec.decode_array(data, device="cuda")).max() <= 1
