"""The work of `pranc condense`: run trainings in order, with progress bars."""

from collections.abc import Callable
from itertools import product

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pranc_codec.condense import training
from pranc_codec.condense.datasets import load_dataset
from pranc_codec.condense.experiment import Experiment
from pranc_codec.condense.options import CondenseOptions
from pranc_codec.condense.results import as_table, plot_results, read_results
from pranc_codec.condense.tasks import ClassifierTask, task_of


def run_condense(options: CondenseOptions) -> str:
    """Run the experiments whose results are not in the output folder yet.

    Returns a Markdown table of all results in the folder. Raises InvalidArgument for impossible
    options, before the first training starts.
    """
    torch.set_num_threads(options.threads)
    output, bases = options.output, options.bases
    output.mkdir(parents=True, exist_ok=True)
    with _bars() as bars:
        experiment = Experiment(
            task=_task_of(options), dataset=load_dataset(options.kind, options.data),
            folder=output, progress=_bar_of(bars), device=options.device,
            start=options.start, teacher=options.teacher,
        )  # fmt: skip
        for basis, k in product(bases, options.coefficients):
            experiment.new_pranc(basis, k)  # raises for a wrong basis or k before any training
        sizes = {
            basis: [experiment.pranc(basis, k) for k in options.coefficients] for basis in bases
        }
        if options.full or options.pruning or options.prune_to:
            experiment.full()
        for size in [*(sizes[bases[0]] if options.pruning else []), *options.prune_to]:
            experiment.pruned(size)
    results = read_results(output)
    # The full network is a line in the plot; the axes need at least one point.
    if any(result["name"] != "full" for result in results):
        plot_results(results, output / "accuracy.png")
    return as_table(results)


def _task_of(options: CondenseOptions) -> ClassifierTask:
    """Return the task with the settings that the options change."""
    task = task_of(options.kind)
    if options.epochs is not None:
        task = task.with_epochs(options.epochs)
    if options.tune_epochs is not None:
        task = task.with_tune_epochs(options.tune_epochs)
    if options.shift is not None:
        task = task.with_shift(options.shift)
    if options.learning_rate is not None:
        task = task.with_learning_rate(options.learning_rate)
    return task


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
