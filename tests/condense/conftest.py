"""Small images and trainings that several tests use."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pranc_codec.condense.datasets import split
from pranc_codec.condense.tasks import task_of
from tests.condense.networks import small_network


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
