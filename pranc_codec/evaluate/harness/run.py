"""Measure rate, distortion, time and memory of codecs over a set of images.

Every finished result is stored at once, so a run that is started again continues from there.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from pranc_codec.errors import InvalidArgument, PrancError, warn_renamed
from pranc_codec.evaluate.callbacks import ResultCallback
from pranc_codec.evaluate.codecs.codec import Codec, Settings, Sweep
from pranc_codec.evaluate.harness.cluster import outcomes_on_cluster
from pranc_codec.evaluate.harness.plan import (
    AnyPath,
    check_sweep,
    find_images,
    read_records,
    units_of,
)
from pranc_codec.evaluate.harness.store import Result, Store
from pranc_codec.evaluate.harness.workers import NumberedUnit, Outcome, outcomes_of


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Where the units of a run are measured, and which of them.

    jobs: number of worker processes on this machine, which share its threads evenly; a single one
    has the whole machine. scheduler: address of a Dask cluster that measures instead (see
    `cluster`). retries: how often the cluster runs a failing unit again. resources: what a unit
    needs of a Dask worker. shard: (i, n) measures only the i-th of n parts, with i in 1..n.

    Raises InvalidArgument for less than one job or a shard outside 1..n.
    """

    jobs: int = 1
    scheduler: str | None = None
    retries: int = 2
    resources: Mapping[str, float] | None = None
    shard: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        part, parts = self.shard
        if self.jobs < 1:
            raise InvalidArgument(f"jobs is the number of processes, at least 1: got {self.jobs}")
        if not 1 <= part <= parts:
            raise InvalidArgument(f"shard {part}/{parts}: the first number is one of 1..{parts}")

    def outcomes_of(self, units: Sequence[NumberedUnit]) -> Generator[tuple[int, Outcome]]:
        """Measure numbered units and yield each outcome with its unit's number as it arrives."""
        if self.scheduler is None:
            return outcomes_of(units, self.jobs)
        return outcomes_on_cluster(
            units, self.scheduler, retries=self.retries, resources=self.resources
        )


def evaluate(
    images: AnyPath | Sequence[AnyPath],
    *,
    codec: Codec,
    points: Sequence[int | float] = (),
    settings: Settings | None = None,
    results: AnyPath,
    jobs: int = 1,
    keep_files: bool = False,
    progress: ResultCallback | None = None,
) -> list[Result]:
    """Measure every image at every point, or read stored results; return them by image, then point.

    images: a folder, or paths of files; they are compared as 8-bit RGB. points: values of the
    codec's `parameter` (the codec's own points if empty). settings: values of its other settings.
    results: the folder of stored results, or any fsspec URL; with `keep_files` it also gets the
    encoded files. jobs: number of worker processes, which share the machine's threads evenly.
    progress: called as progress(done, total, result) after each unit; an exception from it ends
    the run, and everything finished stays stored.

    Raises InvalidArgument for wrong arguments, and PrancError at the end if units failed; all other
    results are stored nevertheless.
    """
    sweep = Sweep(codec=codec, points=tuple(points) or codec.points, settings=settings or {})
    (found,) = evaluate_all(
        images, [sweep], results=results, execution=Execution(jobs=jobs),
        keep_files=keep_files, progress=progress,
    )  # fmt: skip
    return found


def evaluate_all(
    images: AnyPath | Sequence[AnyPath],
    sweeps: Sequence[Sweep],
    *,
    results: AnyPath,
    execution: Execution = Execution(),
    keep_files: bool = False,
    progress: ResultCallback | None = None,
    machines: Execution | None = None,
) -> list[list[Result]]:
    """Evaluate several codecs in one run with the same processes; return one list for each sweep.

    The arguments are those of `evaluate`. With a shard, the lists hold only its part of the
    results. `machines` is the former name of `execution`.
    """
    if machines is not None:
        warn_renamed("machines=", "execution=")
        execution = machines
    for sweep in sweeps:
        check_sweep(sweep)
    records = read_records(find_images(images))
    units = [unit for sweep in sweeps for unit in units_of(records, sweep)]
    part, parts = execution.shard
    numbered = [(number, units[number]) for number in range(part - 1, len(units), parts)]
    done = _measure(numbered, Store(results), execution, keep_files, progress)
    lists, start = [], 0
    for sweep in sweeps:
        end = start + len(records) * len(sweep.points)
        lists.append([done[number] for number in range(start, end) if number in done])
        start = end
    return lists


def _measure(
    units: Sequence[NumberedUnit],
    store: Store,
    execution: Execution,
    keep_files: bool,
    progress: ResultCallback | None,
) -> dict[int, Result]:
    """Read the stored results, measure and store the others, and return all by unit number."""
    found = store.read([unit for _, unit in units], with_files=keep_files)
    done = {units[position][0]: result for position, result in found.items()}
    for count, result in enumerate(done.values(), start=1):
        _notify(progress, count, len(units), result)
    failures: list[str] = []
    by_number = dict(units)
    with closing(execution.outcomes_of([u for u in units if u[0] not in done])) as outcomes:
        for number, outcome in outcomes:
            if isinstance(outcome, str):
                failures.append(f"{by_number[number].title()}: {outcome}")
                continue
            result, data = outcome
            store.write(by_number[number], result, data if keep_files else None)
            done[number] = result
            _notify(progress, len(done), len(units), result)
    _check_failures(failures, len(units), store)
    return done


def _notify(progress: ResultCallback | None, done: int, total: int, result: Result) -> None:
    if progress:
        progress(done, total, result)


def _check_failures(failures: Sequence[str], total: int, store: Store) -> None:
    """Raise one error that names all units that failed."""
    if failures:
        listed = "\n".join(f"  {failure}" for failure in failures)
        raise PrancError(
            f"{len(failures)} of {total} units failed; the others are stored in "
            f"{store.folder.url} and will not be measured again:\n{listed}"
        )
