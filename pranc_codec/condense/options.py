"""The options of `pranc condense`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True, kw_only=True)
class CondenseOptions:
    """What to train and to compare. None stands for the task's own setting.

    kind: "mnist" or "cifar10". data: the user's copy of it. output: folder for checkpoints, files,
    results and the plot. bases: each is trained with each number of coefficients. shift: largest
    random shift of training images, in pixels. start: a .prw file to start from. teacher: a file of
    a trained network whose outputs are learned, too. full: train all weights for comparison.
    pruning: prune to the sizes of the files of the first basis. prune_to: prune to these sizes in
    bytes. tune_epochs: number of epochs of pruning.
    """

    kind: str
    data: Path
    output: Path
    coefficients: Sequence[int] = ()
    bases: Sequence[str] = ("dct",)
    epochs: int | None = None
    learning_rate: float | None = None
    shift: int | None = None
    start: Path | None = None
    teacher: Path | None = None
    full: bool = True
    pruning: bool = True
    prune_to: Sequence[int] = ()
    tune_epochs: int | None = None
    threads: int = 1
    device: torch.device = torch.device("cpu")
