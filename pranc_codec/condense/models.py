"""The classifiers of the experiments. They need no package but torch."""

from collections.abc import Callable
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def lenet() -> nn.Module:
    """Return LeNet-5 for grey images of 28x28, with ReLU and max pooling: 44,426 parameters.

    After LeCun et al., "Gradient-based learning applied to document recognition", Proceedings of
    the IEEE, 1998, section II.B.
    """
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def _conv3x3(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


class PaddedShortcut(nn.Module):
    """A shortcut without parameters: every second position, with zeros in the new channels.

    He et al., "Deep residual learning for image recognition", CVPR 2016, section 3.3, option A.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.padding = (outputs - inputs) // 2

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n _ _ _"]:
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding))


class Block(nn.Module):
    """Two 3x3 convolutions with batch normalization, and a shortcut around them."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv3x3(inputs, outputs, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = _conv3x3(outputs, outputs, 1), nn.BatchNorm2d(outputs)
        self.shortcut = shortcut

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n _ _ _"]:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def _stages(
    widths: list[int], blocks: int, shortcut: Callable[[int, int], nn.Module]
) -> list[nn.Module]:
    """Return `blocks` residual blocks per width; all widths but the first start with stride 2."""
    out: list[nn.Module] = []
    inputs = widths[0]
    for stage, width in enumerate(widths):
        for block in range(blocks):
            first = block == 0 and stage > 0
            around = shortcut(inputs, width) if first else nn.Identity()
            out.append(Block(inputs, width, 2 if first else 1, around))
            inputs = width
    return out


def resnet20() -> nn.Module:
    """Return ResNet-20 for CIFAR-10 (He et al., CVPR 2016, section 4.2): 269,722 parameters."""
    stem = [_conv3x3(3, 16, 1), nn.BatchNorm2d(16), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*stem, *_stages([16, 32, 64], 3, PaddedShortcut), *head)


def resnet18(classes: int = 100) -> nn.Module:
    """Return ResNet-18 for images of 224x224 (He et al., CVPR 2016, table 1).

    It has 11.2 million parameters.
    """

    def shortcut(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs))

    stem = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
    ]  # fmt: skip
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes)]
    return nn.Sequential(*stem, *_stages([64, 128, 256, 512], 2, shortcut), *head)


MODELS: Final[dict[str, Callable[[], nn.Module]]] = {
    "lenet": lenet,
    "resnet20": resnet20,
    "resnet18": resnet18,
}


@torch.no_grad()
def parameters_of(module: nn.Module) -> int:
    """Return the number of elements of all parameters of a module."""
    return sum(p.numel() for p in module.parameters())
