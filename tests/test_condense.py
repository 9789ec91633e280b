"""The experiments, run whole on a few synthetic images."""

import gzip
import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pranc_codec import InvalidArgument
from pranc_codec.cli import app
from pranc_codec.condense.data import load_mnist
from pranc_codec.condense.experiment import Coded, Plan, run, smallest_good
from pranc_codec.condense.networks import lenet
from pranc_codec.condense.plot import plot
from pranc_codec.condense.pruning import Masked, code, keep_largest, keep_within


def arrays() -> dict[str, np.ndarray]:
    """Images whose class is the row of a bright bar."""
    rng = np.random.default_rng(0)
    out = {}
    for split, count in (("train", 400), ("test", 60)):
        labels = rng.integers(0, 10, count, dtype=np.uint8)
        images = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label + 4 : 2 * label + 6] = 250
        out |= {f"x_{split}": images, f"y_{split}": labels}
    return out


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    path = tmp_path_factory.mktemp("mnist") / "mnist.npz"
    np.savez(path, **arrays())
    return path


def test_splits_do_not_overlap(npz):
    splits = load_mnist(npz, validation=100)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (300, 100, 60)
    images = torch.cat([splits.train.images, splits.validation.images])
    assert len(images.unique(dim=0)) == 400
    assert images.max() <= 1


def test_torchvision_folder(tmp_path, npz):
    found, raw = arrays(), tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, key in (("train", "train"), ("t10k", "test")):
        images, labels = found[f"x_{key}"], found[f"y_{key}"]
        sizes = b"".join(n.to_bytes(4, "big") for n in images.shape)
        whole = b"\0\0\x08\x03" + sizes + images.tobytes()
        (raw / f"{name}-images-idx3-ubyte").write_bytes(whole)
        packed = gzip.compress(b"\0\0\x08\x01" + sizes[:4] + labels.tobytes())
        (raw / f"{name}-labels-idx1-ubyte.gz").write_bytes(packed)
    one, two = load_mnist(tmp_path, validation=9), load_mnist(npz, validation=9)
    assert torch.equal(one.train.images, two.train.images)
    assert torch.equal(one.test.labels, two.test.labels)
    (raw / "t10k-images-idx3-ubyte").write_bytes(whole[:-1])
    with pytest.raises(InvalidArgument, match="not a whole IDX"):
        load_mnist(tmp_path)


def test_wrong_data(tmp_path, npz):
    with pytest.raises(InvalidArgument, match="no train-images"):
        load_mnist(tmp_path)
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(InvalidArgument, match="x_train"):
        load_mnist(tmp_path / "text.npz")
    with pytest.raises(InvalidArgument, match="use fewer"):
        load_mnist(npz, validation=400)


def test_pruning_keeps_the_largest_within_the_budget():
    weights = {name: p.detach() for name, p in lenet().named_parameters()}
    masks = keep_largest(weights, 500)
    assert sum(int(m.sum()) for m in masks.values()) == 500
    pruned = code(weights, masks, 1 / 16)
    # 61,706 weights with 0.8 % ones: at most 61,706 H(0.0081) + 500 (6 bits), in bytes
    assert 400 < pruned.size_bytes < 520 + 375 + 50
    for name, decoded in pruned.weights.items():
        assert torch.equal(decoded != 0, masks[name])
        torch.testing.assert_close(decoded, weights[name] * masks[name], rtol=0, atol=0.02)


def test_pruning_within_a_budget():
    weights = {"a": torch.randn(40, 50), "b": torch.randn(40)}
    masks = keep_within(weights, 300, 1 / 16)
    assert 290 < code(weights, masks, 1 / 16).size_bytes <= 300


def test_masked_weights_stay_zero():
    network = lenet()
    masks = keep_largest({n: p.detach() for n, p in network.named_parameters()}, 500)
    masked = Masked(network, masks)
    optimizer = torch.optim.Adam(masked.parameters())
    masked(torch.randn(4, 1, 28, 28)).square().sum().backward()
    optimizer.step()
    for name, parameter in network.named_parameters():
        assert not parameter[~masks[name]].any()


def test_the_smallest_good_candidate_wins():
    candidates = [
        Coded(size_bytes=n, network=lenet(), step=None, validation_accuracy=a, rate=0.1)
        for n, a in ((100, 0.90), (200, 0.9495), (300, 0.95))
    ]
    assert smallest_good(candidates).size_bytes == 200


def test_a_whole_run_resumes(npz, tmp_path):
    splits = load_mnist(npz, validation=100)
    plan = Plan(coefficients=(300,), dense=(50,), epochs=8, batch=64)
    seen: list[str] = []
    results = run(splits, tmp_path, plan, lambda done, total, what: seen.append(what))
    assert [r.case for r in results] == ["full", "hash-300", "pruned-300", "dense-50"]
    full, condensed, pruned, _ = results
    assert full.test_accuracy > 0.3  # one in ten by chance
    assert condensed.test_accuracy > 0.3
    assert condensed.size_bytes < 320
    assert pruned.size_bytes <= condensed.size_bytes
    (tmp_path / "hash-300.json").unlink()  # its checkpoints are there
    trainings = len(seen)
    assert run(splits, tmp_path, plan, lambda *_: seen.append("")) == results
    assert len(seen) == trainings
    plot(results, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InvalidArgument, match="another experiment"):
        run(splits, tmp_path, Plan(epochs=1), lambda *_: None)


def test_command(npz, tmp_path):
    options = ["--validation", "100", "--coefficients", "100", "--dense", "20", "--epochs", "0.5"]
    done = CliRunner().invoke(app, ["condense", str(npz), "-o", str(tmp_path), *options])
    assert done.exit_code == 0, done.output
    assert "hash-100" in done.output
    assert json.loads((tmp_path / "full.json").read_text())["size_bytes"] == 4 * 61706
    assert (tmp_path / "accuracy.png").stat().st_size > 10_000
