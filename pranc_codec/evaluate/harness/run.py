"""Rate, distortion, time and memory of codecs over a set of images.

Finished results are stored at once, and a run that is started again goes on from there.
"""

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pranc_codec.errors import InvalidArgument, PrancError
from pranc_codec.evaluate.codecs.codec import Codec, Settings, Sweep
from pranc_codec.evaluate.harness.cluster import outcomes_on_cluster
from pranc_codec.evaluate.harness.measure import load_rgb, sha256_of
from pranc_codec.evaluate.harness.store import Result, Store, Unit
from pranc_codec.evaluate.harness.workers import Numbered, Outcome, outcomes_of

AnyPath = str | os.PathLike[str]
Progress = Callable[[int, int, Result], None]
SUFFIXES: Final = frozenset({".png", ".ppm", ".bmp", ".tif", ".tiff", ".webp", ".jpg", ".jpeg"})


@dataclass(frozen=True, kw_only=True)
class Machines:
    """Where units are measured, and which.

    jobs: processes of this machine at a time, which share its threads evenly; with one a unit has
    the whole machine. scheduler: address of a Dask cluster to use instead (see `cluster`), with
    retries and resources. shard: (i, n) measures the i-th of n parts, i in 1..n, and no more.
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

    def outcomes_of(self, units: Sequence[Numbered]) -> Generator[tuple[int, Outcome]]:
        """Measure numbered units; yields them as they end."""
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
    progress: Progress | None = None,
) -> list[Result]:
    """Measure every image at every point, or read what is stored; results by image, then point.

    images: a folder, or paths of files; compared as 8-bit RGB. points: values of the codec's
    `parameter` (its own if empty); settings: its other settings. results: the folder of stored
    results (or any fsspec URL), and of the encoded files with `keep_files`. jobs: processes at a
    time, which share the machine's threads evenly. progress(done, total, result) is called after
    each unit; an exception from it ends the run, and what is done stays stored.

    Raises PrancError at the end if units failed; the other results are stored all the same.
    """
    sweep = Sweep(codec=codec, points=tuple(points) or codec.points, settings=settings or {})
    (found,) = evaluate_all(
        images, [sweep], results=results, machines=Machines(jobs=jobs),
        keep_files=keep_files, progress=progress,
    )  # fmt: skip
    return found


def evaluate_all(
    images: AnyPath | Sequence[AnyPath],
    sweeps: Sequence[Sweep],
    *,
    results: AnyPath,
    machines: Machines = Machines(),
    keep_files: bool = False,
    progress: Progress | None = None,
) -> list[list[Result]]:
    """`evaluate` for several codecs in one run, which keeps its processes: a list for each sweep.

    With a shard the lists hold that part of the results only.
    """
    for sweep in sweeps:
        _check_sweep(sweep)
    pictures = _pictures(_image_paths(images))
    units = [unit for sweep in sweeps for unit in _units(pictures, sweep)]
    part, parts = machines.shard
    wanted = range(part - 1, len(units), parts)
    done = _measure([(i, units[i]) for i in wanted], Store(results), machines, keep_files, progress)
    each = [len(pictures) * len(sweep.points) for sweep in sweeps]
    starts = [sum(each[:i]) for i in range(len(each))]
    return [
        [done[i] for i in range(start, start + count) if i in done]
        for start, count in zip(starts, each, strict=True)
    ]


def _measure(
    units: Sequence[Numbered],
    store: Store,
    machines: Machines,
    keep_files: bool,
    progress: Progress | None,
) -> dict[int, Result]:
    """Results by number: stored ones first, then those that are measured and stored now."""
    found = store.read([unit for _, unit in units], with_files=keep_files)
    done = {units[position][0]: result for position, result in found.items()}
    for count, result in enumerate(done.values(), start=1):
        _tell(progress, count, len(units), result)
    failures: list[str] = []
    by_number = dict(units)
    with closing(machines.outcomes_of([u for u in units if u[0] not in done])) as outcomes:
        for number, outcome in outcomes:
            if isinstance(outcome, str):
                failures.append(f"{by_number[number].title()}: {outcome}")
                continue
            result, data = outcome
            store.write(by_number[number], result, data if keep_files else None)
            done[number] = result
            _tell(progress, len(done), len(units), result)
    _check_failures(failures, len(units), store)
    return done


def _check_sweep(sweep: Sweep) -> None:
    codec, points = sweep.codec, sweep.points
    if not points or len(set(points)) != len(points):
        raise InvalidArgument(
            f"{codec.name}: points must be different values of {codec.parameter}, at least one: "
            f"got {list(points)}"
        )
    if codec.parameter in sweep.settings:
        raise InvalidArgument(
            f"{codec.parameter!r} is in the settings, but it is what the points vary: take it out"
        )


def _image_paths(images: AnyPath | Sequence[AnyPath]) -> list[Path]:
    """The image files of a folder by name, or the given paths as they are."""
    if isinstance(images, str | os.PathLike):
        folder = Path(images)
        if not folder.is_dir():
            raise InvalidArgument(f"{folder} is not a folder: give a folder or a list of files")
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    else:
        paths = [Path(path) for path in images]
    if not paths:
        raise InvalidArgument(f"no images in {images}: looked for {', '.join(sorted(SUFFIXES))}")
    return paths


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image of the set: where it lies, SHA-256 of its RGB bytes, and its size."""

    path: Path
    sha256: str
    width: int
    height: int


def _pictures(paths: Sequence[Path]) -> list[Picture]:
    """Read each image once, for its hash and size."""
    pictures = []
    seen: dict[tuple[str, int], Path] = {}
    for path in paths:
        image = load_rgb(path)
        sha256 = sha256_of(image)
        other = seen.setdefault((sha256, image.width), path)
        if other is not path:
            raise InvalidArgument(f"{other} and {path} hold the same pixels: leave one out")
        pictures.append(
            Picture(path=path.absolute(), sha256=sha256, width=image.width, height=image.height)
        )
    return pictures


def _units(pictures: Sequence[Picture], sweep: Sweep) -> list[Unit]:
    """Every image at every point."""
    codec = sweep.codec
    return [
        Unit(
            path=picture.path,
            image_sha256=picture.sha256,
            width=picture.width,
            height=picture.height,
            codec=codec,
            settings={**codec.settings, **sweep.settings, codec.parameter: point},
        )
        for picture in pictures
        for point in sweep.points
    ]


def _tell(progress: Progress | None, done: int, total: int, result: Result) -> None:
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
