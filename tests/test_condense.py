"""The experiments end to end on small images, their data readers, and pruning's files."""

import gzip
import hashlib
import io
import json
import pickle
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load, save
from sklearn.datasets import load_digits
from torch import nn
from typer.testing import CliRunner

from pranc_codec.commands.cli import app
from pranc_codec.condense.datasets import load_dataset, split
from pranc_codec.condense.experiment import Experiment
from pranc_codec.condense.models import MODELS, parameters_of
from pranc_codec.condense.pruning import (
    density_at,
    largest_density,
    pack_pruned,
    prunable,
    prune,
    unpack_pruned,
)
from pranc_codec.condense.results import as_table, plot_results, read_results
from pranc_codec.condense.statistics import measure_statistics
from pranc_codec.condense.tasks import task_of
from pranc_codec.condense.training import (
    TEACHERS_SHARE,
    TEMPERATURE,
    Training,
    accuracy,
    adam,
    distillation,
    momentum,
    vary,
)
from pranc_codec.errors import InvalidArgument
from pranc_codec.pranc.model import Pranc


def small_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10)
    )


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    pixels = (images * 15).astype(np.uint8).reshape(-1, 8, 8)
    arrays = dict(
        x_train=pixels[:1400], y_train=labels[:1400], x_test=pixels[1400:], y_test=labels[1400:]
    )
    return split("digits", arrays, validation=200)


@pytest.fixture(scope="module")
def task():
    base = task_of("mnist")
    return replace(base, network="small", build=small_network).with_epochs(10)


@pytest.mark.parametrize(
    ("name", "parameters"), [("lenet", 44_426), ("resnet20", 269_722), ("resnet18", 11_227_812)]
)
def test_networks_have_the_papers_sizes(name, parameters):
    with torch.device("meta"):
        network = MODELS[name]()
    assert parameters_of(network) == parameters


def test_an_experiment_from_training_to_plot(digits, task, tmp_path):
    bars = []
    experiment = Experiment(
        task=task, dataset=digits, folder=tmp_path, progress=lambda name: lambda *a: bars.append(a)
    )
    size = experiment.pranc("hash", 200)
    experiment.full()
    experiment.pruned(size)
    results = {r["name"]: r for r in read_results(tmp_path)}
    assert set(results) == {"hash-200", "full", f"pruned-{size}"}
    ours, pruned = results["hash-200"], results[f"pruned-{size}"]
    assert ours["file_bytes"] == (tmp_path / "hash-200.prw").stat().st_size < 300
    assert pruned["file_bytes"] <= size
    assert ours["counts"]["total"] == 200 + 16 + 17
    assert results["full"]["test_accuracy"] > 0.9
    assert results["full"]["file_bytes"] == (tmp_path / "full.safetensors").stat().st_size
    assert ours["test_accuracy"] > 0.8
    again = Pranc.load(tmp_path / "hash-200.prw", small_network())
    assert accuracy(again, digits, digits.test) == ours["test_accuracy"]
    assert "| hash-200 |" in as_table(list(results.values()))
    plot_results(list(results.values()), tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as plot:
        assert plot.size == (720, 480)
    assert bars[-1][0] == bars[-1][1]


def test_a_result_is_made_once_and_of_these_settings(digits, task, tmp_path, monkeypatch):
    """The test images are seen once: what has a result is not measured again."""
    experiment = Experiment(
        task=task.with_epochs(1), dataset=digits, folder=tmp_path,
        progress=lambda name: lambda *a: None,
    )  # fmt: skip
    experiment.full()
    size = experiment.pranc("hash", 200)
    experiment.pruned(size)
    kept = {path: path.read_bytes() for path in tmp_path.glob("*.json")}
    monkeypatch.setattr(Experiment, "_report", None)  # would fail if it were called
    (tmp_path / "full.pt").unlink()  # a finished network is read, not trained again
    again = experiment.full().state_dict()
    kept_full = load((tmp_path / "full.safetensors").read_bytes())
    assert all(torch.equal(again[name], tensor) for name, tensor in kept_full.items())
    experiment.pranc("hash", 200)
    experiment.pruned(size)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.json")} == kept
    others = [
        replace(experiment, task=experiment.task.with_shift(1)),
        replace(experiment, dataset=replace(digits, name="other digits")),
    ]
    for other in others:
        for run in (other.full, lambda e=other: e.pranc("hash", 200)):
            with pytest.raises(InvalidArgument, match="other settings"):
                run()


def test_an_interruption_before_the_result_loses_nothing(digits, task, tmp_path, monkeypatch):
    experiment = Experiment(
        task=task.with_epochs(1), dataset=digits, folder=tmp_path,
        progress=lambda name: lambda *a: None,
    )  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "_report", lambda *a, **k: (_ for _ in ()).throw(Interrupted))
        with pytest.raises(Interrupted):
            experiment.pranc("hash", 200)
    before = (tmp_path / "hash-200.prw").read_bytes()
    monkeypatch.setattr(Training, "_advance", None)  # would fail if a step were taken again
    experiment.pranc("hash", 200)
    assert (tmp_path / "hash-200.json").exists()
    assert (tmp_path / "hash-200.prw").read_bytes() == before


class Interrupted(Exception):
    pass


def test_training_goes_on_as_if_never_interrupted(digits, task, tmp_path):
    recipe, reported = replace(task.full, epochs=2, mirror=True, shift=1, save_every_s=0), []

    def run(path, stop=None):
        torch.manual_seed(0)
        network = small_network()

        def progress(done, total, state):
            reported.append(done)
            if done == stop:
                raise Interrupted

        history = Training(network, momentum(network, recipe), digits, recipe).run(path, progress)
        return network, history

    whole, history = run(tmp_path / "whole.pt")
    with pytest.raises(Interrupted):
        run(tmp_path / "parts.pt", stop=13)
    reported.clear()
    parts, again = run(tmp_path / "parts.pt")
    assert reported[0] == 13
    with pytest.raises(InvalidArgument, match="other settings"):
        Training(parts, momentum(parts, recipe), digits, replace(recipe, epochs=3)).run(
            tmp_path / "parts.pt", lambda *a: None
        )
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parts.state_dict()[name])
    assert [h["validation_accuracy"] for h in history] == [h["validation_accuracy"] for h in again]


def test_a_teacher_is_learnt_from(digits, task, tmp_path):
    """Coefficients come nearer to the teacher's outputs than by labels alone."""
    folders = tmp_path / "labels", tmp_path / "taught"
    for folder in folders:
        folder.mkdir()
    alone, taught = (
        Experiment(task=task, dataset=digits, folder=f, progress=lambda name: lambda *a: None)
        for f in folders
    )
    teacher = alone.full()
    alone.pranc("hash", 200)
    taught = replace(taught, teacher=folders[0] / "full.safetensors")
    taught.pranc("hash", 200)
    images, zero = digits.normalize(digits.validation.images), torch.tensor(0.0)
    networks = [Pranc.load(f / "hash-200.prw", small_network()).eval() for f in folders]
    with torch.no_grad():
        wanted = teacher.eval()(images)
        apart = [float(distillation(zero, network(images), wanted)) for network in networks]
    assert apart[1] < apart[0]
    results = [json.loads((f / "hash-200.json").read_text())["settings"] for f in folders]
    sha256 = hashlib.sha256((folders[0] / "full.safetensors").read_bytes()).hexdigest()
    assert results[1] == results[0] | dict(teacher=sha256)
    with pytest.raises(InvalidArgument, match="other settings"):
        alone.training_of(alone.new_pranc("hash", 200)).run(
            folders[1] / "hash-200.pt", lambda *a: None
        )


def test_distillation_is_the_labels_part_and_the_divergence():
    outputs, wanted = torch.randn(2, 5, 10, generator=torch.Generator().manual_seed(0))
    p, q = (torch.softmax(x.double() / TEMPERATURE, 1) for x in (wanted, outputs))
    divergence = (p * (p / q).log()).sum(1).mean() * TEMPERATURE**2
    expected = (1 - TEACHERS_SHARE) * 2 + TEACHERS_SHARE * float(divergence)
    found = distillation(torch.tensor(2.0), outputs, wanted)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert float(distillation(torch.tensor(0.0), wanted, wanted)) == pytest.approx(0, abs=1e-6)


def test_a_wrong_teacher_is_named(digits, task, tmp_path):
    path = tmp_path / "teacher.safetensors"
    experiment = Experiment(
        task=task, dataset=digits, folder=tmp_path, progress=lambda name: lambda *a: None,
        teacher=path,
    )  # fmt: skip
    for data in (b"no safetensors", save(dict(other=torch.zeros(3)))):
        path.write_bytes(data)
        with pytest.raises(InvalidArgument, match="no state dict of a small"):
            experiment.pranc("hash", 200)


def test_long_trainings_shift_images():
    short, long = (task_of("cifar10").with_epochs(epochs) for epochs in (10, 30))
    assert (short.full.shift, short.coefficients.shift) == (2, 0)
    assert (long.full.shift, long.coefficients.shift, long.tune.shift) == (4, 4, 4)
    assert task_of("mnist").with_epochs(30).full.shift == 0
    assert short.with_shift(1).coefficients.shift == 1


def test_bfloat16_trains_coefficients(digits, task, tmp_path):
    recipe = replace(task.coefficients, epochs=1, bfloat16=True)
    network = Experiment(
        task=task, dataset=digits, folder=tmp_path, progress=lambda name: lambda *a: None
    ).new_pranc("dense", 100)
    history = Training(network, adam(network, recipe), digits, recipe).run(
        tmp_path / "c.pt", lambda *a: None
    )
    assert history[0]["loss"] < 2.5
    assert network.coefficients().dtype == torch.float32


def test_shifts_and_mirrors_move_whole_images():
    recipe = replace(task_of("cifar10").full, mirror=True, shift=2)
    columns = torch.arange(8, dtype=torch.uint8).expand(50, 3, 8, 8)
    varied = vary(columns, recipe, torch.Generator().manual_seed(0))
    first = varied[:, 0, 0].int()
    assert torch.equal(varied, first[:, None, None].expand(50, 3, 8, 8).byte())
    steps = (first[:, 1:] - first[:, :-1]).sum(1)
    assert set(steps.sign().tolist()) == {-1, 1}
    assert steps.abs().min() >= 5


def test_statistics_are_those_of_training_images(digits):
    torch.manual_seed(0)
    network = small_network()
    network(torch.randn(8, 1, 8, 8))
    measure_statistics(network, digits)
    convolution, layer = network[0], network[1]
    images = digits.normalize(digits.train.images)
    with torch.no_grad():
        values = convolution(images).transpose(0, 1).flatten(1)
    torch.testing.assert_close(layer.running_mean, values.mean(1), atol=0.01, rtol=0.01)
    torch.testing.assert_close(layer.running_var, values.var(1), atol=0, rtol=0.05)
    assert layer.momentum == 0.1
    assert not layer.training
    measure_statistics(nn.Flatten(), digits)  # without normalization there is nothing to do


def test_a_file_has_the_statistics_of_its_quantized_coefficients(digits, task, tmp_path):
    experiment = Experiment(
        task=task.with_epochs(1), dataset=digits, folder=tmp_path,
        progress=lambda name: lambda *a: None,
    )  # fmt: skip
    experiment.pranc("hash", 200)
    network = Pranc.load(tmp_path / "hash-200.prw", small_network())
    before = dict(network.named_buffers())
    before = {name: tensor.clone() for name, tensor in before.items() if "running" in name}
    measure_statistics(network, digits)
    after = dict(network.named_buffers())
    assert len(before) == 2
    for name, tensor in before.items():
        torch.testing.assert_close(tensor, after[name], atol=1e-3, rtol=1e-3)  # float16


def test_pruned_files_round_trip():
    torch.manual_seed(0)
    network = small_network()
    prune(network, 0.1)
    weights = torch.cat([w.flatten() for w in prunable(network)])
    assert abs((weights != 0).float().mean() - 0.1) < 0.001
    data, again = pack_pruned(network, 8), small_network()
    unpack_pruned(data, again)
    for one, two in zip(prunable(network), prunable(again), strict=True):
        assert not two[one == 0].any()
        assert (one - two).abs().max() < one.abs().max() / 8
    assert len(data) < 500


def test_the_density_fills_the_bytes():
    network = small_network()
    prune(network, largest_density(network, 4, 700))
    assert 670 < len(pack_pruned(network, 4)) <= 700
    assert [density_at(d, 0.1) for d in (0, 0.5, 1)] == [1, 0.1, 0.1]


def write_idx(path, array, compressed):
    data = bytes([0, 0, 8, array.ndim])
    data += b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
    if compressed:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(data))
    else:
        path.write_bytes(data)


@pytest.mark.parametrize("compressed", [True, False])
def test_mnist_in_both_layouts(tmp_path, compressed):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (5010, 28, 28), dtype=np.uint8), np.arange(5010) % 10
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x[:7], y_test=y[:7])
    raw = tmp_path / "torchvision" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, count in (("train", 5010), ("t10k", 7)):
        write_idx(raw / f"{name}-images-idx3-ubyte", x[:count], compressed)
        write_idx(raw / f"{name}-labels-idx1-ubyte", y[:count].astype(np.uint8), compressed)
    one, two = load_dataset("mnist", tmp_path), load_dataset("mnist", tmp_path / "torchvision")
    assert one.train.images.shape == (10, 1, 28, 28)
    assert torch.equal(one.validation.images, two.validation.images)
    assert torch.equal(one.test.labels, two.test.labels)


def jpeg(colour) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(file, "JPEG")
    return file.getvalue()


def test_cifar10_as_folder_and_archive(tmp_path, monkeypatch):
    monkeypatch.setattr("pranc_codec.condense.datasets.VALIDATION", 5)
    with tarfile.open(tmp_path / "cifar10_jpeg.tar.gz", "w:gz") as archive:
        for part, count in (("train", 1), ("test", 1)):
            for label in range(10):
                path = tmp_path / "folder" / part / f"class{label}" / f"{count:04}.jpg"
                path.parent.mkdir(parents=True)
                path.write_bytes(jpeg((20 * label, 0, 0)))
                archive.add(path, arcname=path.relative_to(tmp_path / "folder"))
    for place in (tmp_path / "folder", tmp_path / "cifar10_jpeg.tar.gz", tmp_path):
        dataset = load_dataset("cifar10", place)
        assert dataset.name == "CIFAR-10 recompressed as JPEG"
        assert dataset.test.images.shape == (10, 3, 32, 32)
        red = dataset.test.images[:, 0].float().mean((1, 2))
        assert torch.equal(dataset.test.labels, (red / 20).round().long())


def test_cifar10_batches_are_read_without_running_them(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]:
        rows = rng.integers(0, 256, (1100, 3072), dtype=np.uint8)
        batch = {b"data": rows, b"labels": [n % 10 for n in range(1100)]}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    dataset = load_dataset("cifar10", tmp_path)
    assert dataset.name == "CIFAR-10"
    assert torch.equal(dataset.test.images[0].flatten(), torch.from_numpy(rows[0]))
    (folder / "test_batch").write_bytes(pickle.dumps(print))
    with pytest.raises(InvalidArgument, match="print"):
        load_dataset("cifar10", tmp_path)


def test_what_is_no_archive_is_named(tmp_path):
    path = tmp_path / "cifar10_jpeg.tar.gz"
    path.write_bytes(b"no archive at all")
    with pytest.raises(InvalidArgument, match="no tar archive"):
        load_dataset("cifar10", path)


def test_other_json_files_are_passed_over(tmp_path):
    (tmp_path / "notes.json").write_text("[1, 2]")
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "no.json").write_bytes(b"\xff{")
    assert read_results(tmp_path) == []


def test_too_few_images_are_refused():
    images = np.zeros((20, 8, 8), np.uint8)
    arrays = dict(x_train=images, y_train=images[:, 0, 0], x_test=images, y_test=images[:, 0, 0])
    with pytest.raises(InvalidArgument, match="20 training images, of which 20 are for validation"):
        split("few", arrays, validation=20)
    with pytest.raises(InvalidArgument, match="y_test is missing"):
        split("few", {n: a for n, a in arrays.items() if n != "y_test"}, validation=5)


def test_damaged_data_is_named(tmp_path):
    colours = {f"train/c{n}": (n, n, n) for n in range(10)} | {"test/c0": (0, 0, 0)}
    archive = tmp_path / "cifar10_jpeg.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for folder, colour in colours.items():
            data = jpeg(colour)
            entry = tarfile.TarInfo(f"{folder}/a.jpg")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(InvalidArgument, match=r"cifar10_jpeg\.tar\.gz is damaged"):
        load_dataset("cifar10", archive)
    (tmp_path / "mnist.npz").write_bytes(b"no arrays")
    with pytest.raises(InvalidArgument, match=r"mnist\.npz is damaged"):
        load_dataset("mnist", tmp_path / "mnist.npz")


def test_missing_data_is_named(tmp_path):
    for kind in ("mnist", "cifar10"):
        with pytest.raises(InvalidArgument, match=str(tmp_path)) as refused:
            load_dataset(kind, tmp_path)
        assert "damaged" not in str(refused.value)  # it is not there
    with pytest.raises(InvalidArgument, match="mnist, cifar10"):
        load_dataset("svhn", tmp_path)
    with pytest.raises(InvalidArgument, match="mnist, cifar10"):
        task_of("svhn")


def test_the_command_condenses_a_classifier(tmp_path, monkeypatch):
    monkeypatch.setattr("pranc_codec.condense.datasets.VALIDATION", 100)
    rng = np.random.default_rng(0)
    y = np.arange(500) % 10
    x = (rng.integers(0, 100, (500, 28, 28)) + 15 * y[:, None, None]).astype(np.uint8)
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x[:50], y_test=y[:50])
    arguments = ["condense", "mnist", str(tmp_path), "-o", str(tmp_path / "runs"), "-k", "60"]
    arguments += ["-k", "800"]
    result = CliRunner().invoke(app, [*arguments, "--epochs", "1", "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert "LeNet on MNIST" in result.output
    assert "no pruned network is that small" in result.output
    (pruned,) = (tmp_path / "runs").glob("pruned-*.json")
    found = {p.stem for p in (tmp_path / "runs").glob("*.json")}
    assert found == {"dct-60", "dct-800", "full", pruned.stem}
    assert (tmp_path / "runs" / "accuracy.png").stat().st_size > 1000
    assert Pranc.load(tmp_path / "runs" / "dct-60.prw", MODELS["lenet"]()).counts.total == 60
    wrong = [
        *arguments[:4],
        str(tmp_path / "new"),
        "-k",
        "60",
        "--basis",
        "hash",
        "--basis",
        "dnse",
    ]
    result = CliRunner().invoke(app, wrong)
    assert isinstance(result.exception, InvalidArgument)
    assert "dnse" in str(result.exception)
    assert not list((tmp_path / "new").glob("*"))
    full_only = [*arguments[:4], str(tmp_path / "full"), "--epochs", "1", "--device", "cpu"]
    result = CliRunner().invoke(app, full_only)
    assert result.exit_code == 0, result.output
    assert {p.suffix for p in (tmp_path / "full").glob("*")} == {".json", ".pt", ".safetensors"}
