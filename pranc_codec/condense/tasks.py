"""The tasks: which network is trained on which data set, with which settings.

The settings were chosen on validation images.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from torch import nn

from pranc_codec.condense.models import lenet, resnet20
from pranc_codec.condense.training import Recipe
from pranc_codec.errors import InvalidArgument


@dataclass(frozen=True, kw_only=True)
class ClassifierTask:
    """A network, its data set, and how it is trained.

    dataset: "mnist" or "cifar10". network: the network's name in results. build: function that
    makes an untrained network. full, coefficients: recipes to train all weights, and to train
    coefficients. tune: recipe to continue the training of a network while it is pruned. long_shift:
    largest shift of images in pixels for trainings of `LONG_EPOCHS` epochs or more, which would
    overfit without it.
    """

    dataset: str
    network: str
    build: Callable[[], nn.Module]
    full: Recipe
    coefficients: Recipe
    tune: Recipe
    long_shift: int = 0

    def with_epochs(self, epochs: int) -> "ClassifierTask":
        """Return the task with a number of epochs for weights and coefficients; a third to tune."""
        task = replace(
            self,
            full=replace(self.full, epochs=epochs),
            coefficients=replace(self.coefficients, epochs=epochs),
            tune=replace(self.tune, epochs=max(1, epochs // 3)),
        )
        return task.with_shift(self.long_shift) if epochs >= LONG_EPOCHS else task

    def with_tune_epochs(self, epochs: int) -> "ClassifierTask":
        """Return the task with another number of epochs for pruning."""
        return replace(self, tune=replace(self.tune, epochs=epochs))

    def with_shift(self, shift: int) -> "ClassifierTask":
        """Return the task with images shifted by up to `shift` pixels in each training."""
        return replace(
            self,
            full=replace(self.full, shift=shift),
            coefficients=replace(self.coefficients, shift=shift),
            tune=replace(self.tune, shift=shift),
        )

    def with_learning_rate(self, learning_rate: float) -> "ClassifierTask":
        """Return the task with another peak learning rate of coefficients."""
        return replace(self, coefficients=replace(self.coefficients, learning_rate=learning_rate))


LONG_EPOCHS: Final = 30
_LENET: Final = Recipe(epochs=5, learning_rate=0.05, decay=5e-4)
_RESNET: Final = Recipe(
    epochs=10, learning_rate=0.2, decay=5e-4, mirror=True, shift=2, bfloat16=True
)
TASKS: Final = {
    "mnist": ClassifierTask(
        dataset="mnist",
        network="LeNet",
        build=lenet,
        full=_LENET,
        coefficients=replace(_LENET, learning_rate=0.4, decay=0.0),
        tune=replace(_LENET, learning_rate=0.02),
    ),
    "cifar10": ClassifierTask(
        dataset="cifar10",
        network="ResNet-20",
        build=resnet20,
        full=_RESNET,
        coefficients=replace(_RESNET, learning_rate=0.12, decay=0.0, shift=0),
        tune=replace(_RESNET, learning_rate=0.05),
        long_shift=4,
    ),
}


def task_of(dataset: str) -> ClassifierTask:
    """Return the task of "mnist" or "cifar10". Raises InvalidArgument for another name."""
    if dataset not in TASKS:
        raise InvalidArgument(f"unknown data set {dataset!r}: use one of {', '.join(TASKS)}")
    return TASKS[dataset]
