"""The experiments behind `pranc condense`: what is run, in which order, with progress bars."""

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
    """Run what is missing in the folder; a table of all results there."""
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
            experiment.new_pranc(basis, k)  # refuses what cannot be, before the first training
        sizes = {basis: [experiment.pranc(basis, k) for k in coefficients] for basis in bases}
        if full or pruning or prune_to:
            experiment.full()
        for size in [*(sizes[bases[0]] if pruning else []), *prune_to]:
            experiment.pruned(size)
    results = read_results(output)
    if any(result["name"] != "full" for result in results):  # which has a line, but no point
        plot_results(results, output / "accuracy.png")
    return as_table(results)


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(), TextColumn("{task.fields[state]}"),
    )  # fmt: skip


def _bar_of(bars: Progress) -> Callable[[str], training.Progress]:
    """A bar per training, as a plain callback."""

    def bar_of(name: str) -> training.Progress:
        task = bars.add_task(name, total=None, state="")

        def show(done: int, total: int, state: str) -> None:
            bars.update(task, completed=done, total=total, state=state)

        return show

    return bar_of
