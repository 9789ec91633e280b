"""Experiments end to end on scikit-learn's digits."""

import hashlib
import json
from dataclasses import replace

import pytest
import torch
from PIL import Image
from safetensors.torch import load, save

from pranc_codec.condense.experiment import Experiment
from pranc_codec.condense.models import MODELS, parameters_of
from pranc_codec.condense.results import as_table, plot_results, read_results
from pranc_codec.condense.statistics import measure_statistics
from pranc_codec.condense.training import (
    Training,
    accuracy,
    distillation,
)
from pranc_codec.errors import InvalidArgument
from pranc_codec.pranc.model import Pranc
from tests.condense.networks import small_network


@pytest.mark.parametrize(
    ("name", "parameters"), [("lenet", 44_426), ("resnet20", 269_722), ("resnet18", 11_227_812)]
)
def test_networks_have_the_papers_sizes(name, parameters):
    with torch.device("meta"):
        network = MODELS[name]()
    assert parameters_of(network) == parameters


def test_an_experiment_from_training_to_plot(digits, finished, tmp_path):
    folder = finished.folder
    size = (folder / "hash-200.prw").stat().st_size
    results = {r["name"]: r for r in read_results(folder)}
    assert set(results) == {"hash-200", "full", f"pruned-{size}"}
    ours, pruned = results["hash-200"], results[f"pruned-{size}"]
    assert ours["file_bytes"] == size < 300
    assert pruned["file_bytes"] <= size
    assert ours["counts"]["total"] == 200 + 16 + 17
    assert results["full"]["test_accuracy"] > 0.9
    assert results["full"]["file_bytes"] == (folder / "full.safetensors").stat().st_size
    assert ours["test_accuracy"] > 0.8
    again = Pranc.load(folder / "hash-200.prw", small_network())
    assert accuracy(again, digits, digits.test) == ours["test_accuracy"]
    assert "| hash-200 |" in as_table(list(results.values()))
    plot_results(list(results.values()), tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as plot:
        assert plot.size == (720, 480)


def test_progress_ends_with_the_last_iteration(digits, task, tmp_path):
    bars = []
    Experiment(
        task=task.with_epochs(1), dataset=digits, folder=tmp_path,
        progress=lambda name: lambda *a: bars.append(a),
    ).full()  # fmt: skip
    assert bars[-1][0] == bars[-1][1] > 1


def test_a_result_is_made_once_and_of_these_settings(digits, copied, monkeypatch):
    """The test images are seen once: what has a result is not measured again."""
    kept = {path: path.read_bytes() for path in copied.folder.glob("*.json")}
    size = (copied.folder / "hash-200.prw").stat().st_size
    assert len(kept) == 3
    monkeypatch.setattr(Experiment, "_report", None)  # would fail if it were called
    (copied.folder / "full.pt").unlink()  # a finished network is read, not trained again
    again = copied.full().state_dict()
    kept_full = load((copied.folder / "full.safetensors").read_bytes())
    assert all(torch.equal(again[name], tensor) for name, tensor in kept_full.items())
    assert copied.pranc("hash", 200) == size
    copied.pruned(size)
    assert {path: path.read_bytes() for path in copied.folder.glob("*.json")} == kept
    others = [
        replace(copied, task=copied.task.with_shift(1)),
        replace(copied, dataset=replace(digits, name="other digits")),
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


def test_a_teacher_is_learnt_from(digits, finished, tmp_path):
    """Coefficients come nearer to the teacher's outputs than by labels alone."""
    teacher_file = finished.folder / "full.safetensors"
    teacher = finished.full()
    taught = replace(finished, folder=tmp_path, teacher=teacher_file)
    taught.pranc("hash", 200)
    folders = finished.folder, tmp_path
    images, zero = digits.normalize(digits.validation.images), torch.tensor(0.0)
    networks = [Pranc.load(f / "hash-200.prw", small_network()).eval() for f in folders]
    with torch.no_grad():
        wanted = teacher.eval()(images)
        apart = [float(distillation(zero, network(images), wanted)) for network in networks]
    assert apart[1] < apart[0]
    results = [json.loads((f / "hash-200.json").read_text())["settings"] for f in folders]
    sha256 = hashlib.sha256(teacher_file.read_bytes()).hexdigest()
    assert results[1] == results[0] | dict(teacher=sha256)
    with pytest.raises(InvalidArgument, match="other settings"):
        finished.training_of(finished.new_pranc("hash", 200)).run(
            tmp_path / "hash-200.pt", lambda *a: None
        )


def test_a_wrong_teacher_is_named(digits, task, tmp_path):
    path = tmp_path / "teacher.safetensors"
    experiment = Experiment(
        task=task, dataset=digits, folder=tmp_path, progress=lambda name: lambda *a: None,
        teacher=path,
    )  # fmt: skip
    for data in (b"no safetensors", save(dict(other=torch.zeros(3)))):
        path.write_bytes(data)
        with pytest.raises(InvalidArgument, match="not a state dict of a small"):
            experiment.pranc("hash", 200)


def test_a_file_has_the_statistics_of_its_quantized_coefficients(digits, finished):
    network = Pranc.load(finished.folder / "hash-200.prw", small_network())
    before = dict(network.named_buffers())
    before = {name: tensor.clone() for name, tensor in before.items() if "running" in name}
    measure_statistics(network, digits)
    after = dict(network.named_buffers())
    assert len(before) == 2
    for name, tensor in before.items():
        torch.testing.assert_close(tensor, after[name], atol=1e-3, rtol=1e-3)  # float16


def test_other_json_files_are_passed_over(tmp_path):
    (tmp_path / "notes.json").write_text("[1, 2]")
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "no.json").write_bytes(b"\xff{")
    assert read_results(tmp_path) == []
