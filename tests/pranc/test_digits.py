"""PRANC on a classifier: scikit-learn's digits, written to bytes and rebuilt."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from pranc_codec import Pranc


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    split = train_test_split(images / 16, labels, test_size=0.3, random_state=0, stratify=labels)
    train_x, test_x, train_y, test_y = (torch.from_numpy(np.asarray(part)) for part in split)
    return train_x.float(), test_x.float(), train_y.long(), test_y.long()


def classifier() -> nn.Module:
    return nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def train(network: nn.Module, digits, learning_rate: float, iterations: int) -> float:
    """Accuracy on the test images after training."""
    train_x, test_x, train_y, test_y = digits
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    for _ in range(iterations):
        chosen = torch.randint(len(train_x), (128,), generator=generator)
        loss = nn.functional.cross_entropy(network(train_x[chosen]), train_y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return float((network(test_x).argmax(1) == test_y).float().mean())


def test_full_training(digits):
    torch.manual_seed(0)
    assert train(classifier(), digits, 5e-3, 400) > 0.96


@pytest.mark.parametrize(
    ("basis", "k", "accuracy"),
    [("hash", 1000, 0.95), ("hash", 300, 0.90), ("dense", 1000, 0.93), ("dense", 300, 0.90)],
)
def test_pranc_is_rebuilt_to_the_same_classes(digits, basis, k, accuracy):
    """8970 weights from 1000 or 300 coefficients."""
    network = Pranc(classifier(), coefficients=k, seed=3, basis=basis, cache=True)
    learning_rate, iterations = (0.15, 150) if basis == "hash" else (0.2, 100)
    reached = train(network, digits, learning_rate, iterations)
    assert reached > accuracy
    test_x = digits[1]
    exact = Pranc.from_bytes(network.to_bytes(quantize=False), classifier())
    assert torch.equal(network(test_x).argmax(1), exact(test_x).argmax(1))
    data = network.to_bytes()
    assert len(data) < 0.85 * k + 60  # bytes; 6.2 bits a coefficient would be 0.78 k
    coded = Pranc.from_bytes(data, classifier())
    same = coded(test_x).argmax(1) == network(test_x).argmax(1)
    assert same.float().mean() > 0.98
