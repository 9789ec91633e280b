"""The classifiers of the PRANC paper's smaller experiments."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def lenet() -> nn.Sequential:
    """LeNet-5 for 28x28 grey images (LeCun et al., 1998) with ReLU: 61,706 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def accuracy(network: nn.Module, images: Float[Tensor, "n c h w"], labels: Tensor) -> float:
    """Share of images whose largest output is their class."""
    network.eval()
    found = torch.cat([network(part).argmax(1) for part in torch.split(images, 1000)])
    return float((found == labels).double().mean())
