"""Training: it goes on after an interruption, and what it makes can be packed and used."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from skimage import data as skimage_data
from typer.testing import CliRunner

from pranc_codec.commands.cli import app
from pranc_codec.encoder.grid.fit_latents import fit
from pranc_codec.errors import InvalidArgument
from pranc_codec.grid import prior as priors, wavelet
from pranc_codec.grid.context import ColourContext, ContextModel
from pranc_codec.grid.context_int_net import IntegerContext
from pranc_codec.training import context as context_training, fitted_windows
from pranc_codec.training.context import train_context
from pranc_codec.training.enhancement import train_enhancement
from pranc_codec.training.fitted_windows import FittedWindows, fit_windows
from pranc_codec.training.loop import (
    Schedule,
    TrainingTask,
    averaged_weights,
    learning_rate,
    train,
)
from pranc_codec.training.options import TrainingOptions
from pranc_codec.training.pack_prior import pack_prior
from pranc_codec.training.photographs import load_photographs, random_crops


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two photographs; the first is held out."""
    path = tmp_path_factory.mktemp("photographs")
    Image.fromarray(skimage_data.chelsea()[:96, :112]).save(path / "a.png")
    Image.fromarray(skimage_data.astronaut()[:128, :100]).save(path / "b.png")
    return path


def test_a_prior_is_trained_and_packed(folder, tmp_path, monkeypatch):
    context, enhancement = tmp_path / "context.pt", tmp_path / "enhancement.pt"
    options = TrainingOptions(
        photos=folder, iterations=2, crops=1, side=64, threads=torch.get_num_threads()
    )
    rounded = tmp_path / "rounded.pt"
    train_context(options, context)
    starts = []

    def kept(model, *others):
        starts.append({name: value.clone() for name, value in model.state_dict().items()})
        assert all(part.rounded for part in model.modules() if isinstance(part, ColourContext))
        return train(model, *others)

    with monkeypatch.context() as patch:
        patch.setattr(context_training, "train", kept)
        train_context(options, rounded, rounded_from=context)
    trained = averaged_weights(context)
    assert all(torch.equal(value, trained[name]) for name, value in starts[0].items())
    train_enhancement(replace(options, from_prior=True), rounded, enhancement)
    for path, text in ((rounded, "validation bpp"), (enhancement, "validation gain dB")):
        assert text in path.with_suffix(".log").read_text()
    pack_prior(rounded, enhancement, tmp_path / "grid.safetensors")
    tensors = load_file(tmp_path / "grid.safetensors")
    assert_packed_as_trained(rounded, tensors)
    assert tensors["synthesis.offsets.values"].dtype == torch.float16
    network = IntegerContext(tensors, torch.device("cpu")).phase_network(0, 0, 3)
    assert network.first.abs().max() <= 127


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_trains_as_a_processor_does(folder, tmp_path):
    """The same windows: losses differ by what bfloat16 leaves, and weights move the same way."""
    start = priors.plain().float_context().state_dict()
    losses, moves = [], []
    for device in ("cpu", "cuda"):
        context, enhancement = tmp_path / f"{device}.pt", tmp_path / f"{device}-enhancement.pt"
        options = TrainingOptions(
            photos=folder, iterations=3, crops=2, side=64, device=device, from_prior=True,
            threads=torch.get_num_threads(),
        )  # fmt: skip
        train_context(options, context)
        train_enhancement(options, context, enhancement)
        words = [
            word for path in (context, enhancement)
            for word in path.with_suffix(".log").read_text().split()
        ]  # fmt: skip
        losses.append([float(words[n + 1]) for n, word in enumerate(words) if word == "loss"])
        weights = torch.load(context, weights_only=True, map_location="cpu")["network"]
        moves.append(torch.cat([(weights[n] - start[n]).flatten() for n in start]))
    assert len(losses[0]) == 2 * 3
    assert losses[1] == pytest.approx(losses[0], rel=0.01, abs=0.01)
    assert moves[0].abs().max() > 1e-6
    assert torch.nn.functional.cosine_similarity(*moves, dim=0) > 0.5


def assert_packed_as_trained(checkpoint, tensors):
    """The averaged weights, rounded as in the training."""
    trained, packed = ContextModel(), priors.GridPrior(number=0, tensors=tensors).float_context()
    trained.load_state_dict(averaged_weights(checkpoint))
    trained.set_rounded(True)
    for a, b in zip(trained.modules(), packed.modules(), strict=True):
        if isinstance(a, ColourContext):
            used = a.weights()
            assert any(w.abs().max() > 0 for w in used.values())
            assert all(torch.equal(used[name], w) for name, w in b.weights().items())


def test_the_command_trains_what_could_ship(folder, tmp_path):
    def run(*options):
        known = ["train-prior", str(folder), "-o", str(tmp_path)]
        threads = ["--threads", str(torch.get_num_threads())]
        return CliRunner().invoke(app, [*known, *threads, *options])

    assert run("--iterations", "1", "--from-prior").exit_code == 0
    made = {name: t.shape for name, t in load_file(tmp_path / "grid.safetensors").items()}
    assert made == {name: t.shape for name, t in priors.plain().tensors.items()}
    refused = run("--fitted", "9")
    assert refused.exit_code == 2
    assert "add --from-prior" in refused.output
    changed = run("--steps", "2", "--from-prior")
    assert "other settings" in str(changed.exception)


def test_a_prior_is_trained_on_fitted_windows(folder, tmp_path, monkeypatch):
    windows, context = tmp_path / "windows", tmp_path / "context.pt"
    threads = torch.get_num_threads()
    with pytest.raises(InvalidArgument, match="0 fitted windows to train on and 0 held out"):
        FittedWindows.load(windows, crops=2)
    for held_out in (False, True):
        fit_windows(folder, windows, count=2, side=32, held_out=held_out, threads=threads)
    stored = sorted(windows.glob("*/*.safetensors"))
    assert len(stored) == 4
    lost = windows / "training" / "000001.safetensors"
    made = lost.read_bytes()
    lost.unlink()
    fits = []
    monkeypatch.setattr(fitted_windows, "fit", lambda *a, **o: fits.append(1) or fit(*a, **o))
    fit_windows(folder, windows, count=2, side=32, threads=threads)
    assert len(fits) == 1
    assert lost.read_bytes() == made
    with pytest.raises(InvalidArgument, match="side is 32 there and 48 here"):
        fit_windows(folder, windows, count=2, side=48, threads=threads)
    examples = FittedWindows.load(windows, crops=2)
    batch = examples.batch(examples.draw(torch.Generator().manual_seed(0)))
    assert batch.opponent.shape == (2, 3, 32, 32)
    step = torch.exp2(batch.log2_q_step)
    scaled = batch.symbols.map(lambda t: t * step.view(-1, *[1] * (t.dim() - 1)))
    error = (wavelet.synthesize(scaled, 32, 32) - batch.opponent).square().flatten(1).mean(1)
    assert (error < step.square()).all()
    options = TrainingOptions(
        photos=folder, iterations=2, crops=2, threads=threads, from_prior=True, fitted=windows
    )
    train_context(options, context)
    train_enhancement(options, context, tmp_path / "enhancement.pt")
    pack_prior(context, tmp_path / "enhancement.pt", tmp_path / "grid.safetensors")
    assert load_file(tmp_path / "grid.safetensors").keys() == priors.fitted().tensors.keys()


def test_training_goes_on_from_its_checkpoint(tmp_path):
    """Interrupted after 5 of 12 steps and resumed: the same weights as without."""

    def run(path, stop_after=None, iterations=12, photographs=3):
        torch.manual_seed(0)
        network = torch.nn.Linear(3, 1)
        calls = []

        def draw(generator):
            return (torch.randn(8, 3, generator=generator),)

        def loss(drawn):
            if len(calls) == stop_after:
                raise KeyboardInterrupt
            calls.append(1)
            (x,) = drawn
            return (network(x) - x.sum(1, keepdim=True)).square().mean()

        schedule = Schedule(iterations=iterations, warmup=2, save_every_s=0, validate_every=4)
        data = dict(photographs=photographs)
        task = TrainingTask(draw=draw, loss_of=loss, validate=lambda _: "fine")
        return train(network, task, schedule, path, data), len(calls)

    whole, _ = run(tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts.pt", stop_after=5)
    parts, calls = run(tmp_path / "parts.pt")
    assert calls == 7
    torch.testing.assert_close(parts.weight, whole.weight)
    assert "iteration 12" in (tmp_path / "parts.log").read_text()
    for other in (dict(iterations=13), dict(photographs=4)):
        with pytest.raises(InvalidArgument, match="other settings"):
            run(tmp_path / "parts.pt", **other)


def test_learning_rates_rise_then_fall_to_zero():
    schedule = Schedule(iterations=1000, learning_rate=1.0, warmup=100)
    rates = [learning_rate(schedule, number) for number in range(1000)]
    assert rates[0] == pytest.approx(0.01, rel=0.01)
    assert 0.95 < max(rates) <= 1
    assert rates[-1] < 1e-5


def test_crops_are_parts_of_photographs(folder):
    images = load_photographs(folder, 1024)
    assert [tuple(i.shape) for i in images] == [(128, 100, 3)]
    assert load_photographs(folder, 1024, held_out=True)[0].shape == (96, 112, 3)
    generator = torch.Generator().manual_seed(3)
    crops = random_crops(images, 6, 48, generator)
    assert crops.shape == (6, 3, 48, 48)
    assert -0.2 < float(crops.min()) < float(crops.max()) < 1.2
    again = random_crops(images, 6, 48, torch.Generator().manual_seed(3))
    assert torch.equal(crops, again)
    mean = np.asarray(images[0]).mean() / 255
    assert abs(float(crops.mean()) - mean) < 0.3


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(InvalidArgument, match="holds 0 images: at least 2"):
        load_photographs(tmp_path, 100)
