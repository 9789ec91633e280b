"""Small images and trainings that several tests use."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pranc_codec.condense.datasets import split
from pranc_codec.condense.experiment import Experiment
from pranc_codec.condense.tasks import task_of
from tests.condense.networks import small_network


@pytest.fixture(scope="session")
def digits():
    images, labels = load_digits(return_X_y=True)
    pixels = (images * 15).astype(np.uint8).reshape(-1, 8, 8)
    arrays = dict(
        x_train=pixels[:1400], y_train=labels[:1400], x_test=pixels[1400:], y_test=labels[1400:]
    )
    return split("digits", arrays, validation=200)


@pytest.fixture(scope="session")
def task():
    base = task_of("mnist")
    return replace(base, network="small", build=small_network).with_epochs(10)


@pytest.fixture(scope="session")
def finished(digits, task, tmp_path_factory):
    """An experiment that ran from training to pruning. It is only read: `copied` may be changed."""
    experiment = Experiment(
        task=task, dataset=digits, folder=tmp_path_factory.mktemp("finished"),
        progress=lambda name: lambda *a: None,
    )  # fmt: skip
    experiment.full()
    experiment.pruned(experiment.pranc("hash", 200))
    return experiment


@pytest.fixture
def copied(finished, tmp_path):
    """The finished experiment in a folder of its own."""
    return replace(finished, folder=shutil.copytree(finished.folder, tmp_path / "copy"))
