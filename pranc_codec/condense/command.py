"""The work of `pranc condense`: run trainings in order, with progress bars."""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pranc_codec.condense import training
from pranc_codec.condense.datasets import load_dataset
from pranc_codec.condense.experiment import Experiment
from pranc_codec.condense.results import as_table, plot_results, read_results
from pranc_codec.condense.tasks import task_of


def run_condense(
    kind: str,
    data: Path,
    output: Path,
    *,
    coefficients: Sequence[int],
    bases: Sequence[str],
    epochs: int | None,
    learning_rate: float | None,
    shift: int | None,
    start: Path | None,
    teacher: Path | None,
    full: bool,
    pruning: bool,
    prune_to: Sequence[int],
    tune_epochs: int | None,
    threads: int,
    device: torch.device,
) -> str:
    """Run the experiments whose results are not in the output folder yet.

    kind: name of the data set, "mnist" or "cifar10". data: the user's copy of it. output: folder of
    checkpoints, files, results and the plot. The other arguments are the options of `pranc
    condense`; None stands for the task's own setting. Returns a Markdown table of all results in
    the folder. Raises InvalidArgument for wrong arguments, before the first training starts.
    """
    torch.set_num_threads(threads)
    task = task_of(kind) if epochs is None else task_of(kind).with_epochs(epochs)
    task = task if tune_epochs is None else task.with_tune_epochs(tune_epochs)
    task = task if shift is None else task.with_shift(shift)
    task = task if learning_rate is None else task.with_learning_rate(learning_rate)
    output.mkdir(parents=True, exist_ok=True)
    with _bars() as bars:
        experiment = Experiment(
            task=task, dataset=load_dataset(kind, data), folder=output, progress=_bar_of(bars),
            device=device, start=start, teacher=teacher,
        )  # fmt: skip
        for basis, k in product(bases, coefficients):
            experiment.new_pranc(basis, k)  # raises for a wrong basis or k before any training
        sizes = {basis: [experiment.pranc(basis, k) for k in coefficients] for basis in bases}
        if full or pruning or prune_to:
            experiment.full()
        for size in [*(sizes[bases[0]] if pruning else []), *prune_to]:
            experiment.pruned(size)
    results = read_results(output)
    # The full network is a line in the plot; the axes need at least one point.
    if any(result["name"] != "full" for result in results):
        plot_results(results, output / "accuracy.png")
    return as_table(results)


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(), TextColumn("{task.fields[state]}"),
    )  # fmt: skip


def _bar_of(bars: Progress) -> Callable[[str], training.Progress]:
    """Return a function that adds a bar for a training and returns the callback that moves it."""

    def bar_of(name: str) -> training.Progress:
        bar = bars.add_task(name, total=None, state="")

        def show(done: int, total: int, state: str) -> None:
            bars.update(bar, completed=done, total=total, state=state)

        return show

    return bar_of
