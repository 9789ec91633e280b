"""The command `pranc condense`."""

import numpy as np
from typer.testing import CliRunner

from pranc_codec.commands.cli import app
from pranc_codec.condense.models import MODELS
from pranc_codec.errors import InvalidArgument
from pranc_codec.pranc.model import Pranc


def test_the_command_condenses_a_classifier(tmp_path, monkeypatch):
    monkeypatch.setattr("pranc_codec.condense.datasets.VALIDATION_IMAGES", 100)
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
