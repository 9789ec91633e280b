"""Benchmarks of condensed models, on tiny inputs: they run, and what they print is right."""

import hashlib
import json
import re

import numpy as np
import pytest
import torch

from benchmarks import federated, pranc_basis, pranc_resnet18, rebuild_classifier
from pranc_codec import Pranc
from pranc_codec.condense.datasets import load_dataset
from pranc_codec.condense.models import lenet
from pranc_codec.condense.training import predict
from tests.benchmarks.tables import rows_of


@pytest.fixture
def mnist(tmp_path, monkeypatch):
    """A file like mnist.npz with 200 training images, of which 100 are for validation."""
    monkeypatch.setattr("pranc_codec.condense.datasets.VALIDATION_IMAGES", 100)
    y = np.arange(200) % 10
    noise = np.random.default_rng(0).integers(0, 100, (200, 28, 28))
    x = (noise + 15 * y[:, None, None]).astype(np.uint8)
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    return tmp_path / "mnist.npz"


def test_federated(mnist, capsys):
    federated.main(mnist, clients=2, rounds=2, iterations=2, k=80, processes=False)
    text = capsys.readouterr().out
    rows = rows_of(text)
    assert [row[0] for row in rows] == ["1", "2"]
    down, up, full = (int(cell.replace(",", "")) for cell in rows[1][2:5])
    assert 2 * 80 / 4 < up < 2 * 200
    assert 2 * 80 / 4 < down < 2 * 200
    assert full == 2 * 2 * 4 * 44_426
    deviation = float(re.search(r"weights of the mean: (\S+)", text)[1])
    assert deviation < 1e-6


def test_pranc_basis(capsys):
    pranc_basis.main(weights=90, k=10)
    rows = rows_of(capsys.readouterr().out)
    names = ["hash", "hash, cached", "dct", "dct, cached", "dense", "dense, stored"]
    assert [row[:3:2] for row in rows] == [[n, p] for n in names for p in ("weights", "gradient")]
    assert all(float(cell) >= 0 for row in rows for cell in row[3:])


def test_the_stored_matrix_is_the_dense_basis():
    basis = pranc_basis.DenseBasis(90, 10, seed=0, layer=0)
    coefficients = torch.randn(10)
    expected = basis.expand(coefficients, 0, 90)
    torch.testing.assert_close(pranc_basis.stored(basis) @ coefficients, expected)


def test_pranc_resnet18(capsys):
    pranc_resnet18.main(batch=1, size=8, coefficients=100, network="resnet20", processes=False)
    text = capsys.readouterr().out
    assert "269722 parameters, 1 MiB" in text
    assert "coefficients=100" in text
    rows = rows_of(text)
    assert [row[0] for row in rows] == list(pranc_resnet18.CASES)
    assert sum(float(seconds) for row in rows for seconds in row[2:]) > 0
    assert [float(row[4]) for row in rows[2:]] == [0, 0]  # there is no backward pass in use
    sizes = {name: int(size) for name, size in re.findall(r"'(model\.\w+)': (\d+)", text)}
    assert sizes["model.prw"] < 8000 < sizes["model.safetensors"]


def test_rebuild_classifier(mnist, tmp_path, capsys):
    network = Pranc(lenet(), coefficients=60, seed=3)
    network.set_coefficients(torch.arange(-30.0, 30))
    network.save(tmp_path / "model.prw")
    network = Pranc.load(tmp_path / "model.prw", lenet())
    dataset = load_dataset("mnist", mnist)
    classes = predict(network, dataset, dataset.test).byte().numpy().tobytes()
    for wanted, code in ((classes, 0), (classes[::-1] + b"\1", 1)):
        result = dict(predictions_sha256=hashlib.sha256(wanted).hexdigest())
        (tmp_path / "model.json").write_text(json.dumps(result))
        with pytest.raises(SystemExit) as ended:
            rebuild_classifier.main("mnist", mnist, tmp_path / "model.prw")
        assert ended.value.code == code
        text = capsys.readouterr().out
        assert "MNIST: 20 images" in text
        assert ("every class is the same" in text) == (code == 0)
