"""What is trained on what, and how: the settings were chosen on validation images."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from torch import nn

from pranc_codec.condense.models import lenet, resnet20
from pranc_codec.condense.training import Recipe
from pranc_codec.errors import InvalidArgument


@dataclass(frozen=True, kw_only=True)
class Task:
    """A network and a data set. full, coefficients: how weights and coefficients are trained;
    tune: how what pruning leaves is trained on."""

    dataset: str
    network: str
    build: Callable[[], nn.Module]
    full: Recipe
    coefficients: Recipe
    tune: Recipe

    def with_epochs(self, epochs: int) -> "Task":
        """Other numbers of epochs: the same for weights and coefficients, a third to tune."""
        return replace(
            self,
            full=replace(self.full, epochs=epochs),
            coefficients=replace(self.coefficients, epochs=epochs),
            tune=replace(self.tune, epochs=max(1, epochs // 3)),
        )

    def with_coefficients(self, **changes: Any) -> "Task":
        """Another recipe for coefficients: what is not None replaces the task's own."""
        given = {name: value for name, value in changes.items() if value is not None}
        return replace(self, coefficients=replace(self.coefficients, **given))


_LENET: Final = Recipe(epochs=5, learning_rate=0.05, decay=5e-4)
_RESNET: Final = Recipe(
    epochs=10, learning_rate=0.2, decay=5e-4, mirror=True, shift=2, bfloat16=True
)
TASKS: Final = {
    "mnist": Task(
        dataset="mnist",
        network="LeNet",
        build=lenet,
        full=_LENET,
        coefficients=replace(_LENET, learning_rate=0.4, decay=0.0),
        tune=replace(_LENET, learning_rate=0.02),
    ),
    "cifar10": Task(
        dataset="cifar10",
        network="ResNet-20",
        build=resnet20,
        full=_RESNET,
        coefficients=replace(_RESNET, learning_rate=0.12, decay=0.0, shift=0),
        tune=replace(_RESNET, learning_rate=0.05),
    ),
}


def task_of(dataset: str) -> Task:
    """The task of a data set."""
    if dataset not in TASKS:
        raise InvalidArgument(f"unknown data set {dataset!r}: use one of {', '.join(TASKS)}")
    return TASKS[dataset]
