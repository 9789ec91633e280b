"""Rate, distortion, time and memory of a codec over a set of images.

Finished results are stored at once, and a run that is started again goes on from there.
"""

import hashlib
import os
import pickle
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np

from pranc_codec.errors import InvalidArgument, PrancError
from pranc_codec.evaluate.codecs import Codec, Settings
from pranc_codec.evaluate.measure import load_rgb, outcomes_of
from pranc_codec.evaluate.store import Result, Unit, file_path, read_result, write_result
from pranc_codec.files import write_atomically

AnyPath = str | os.PathLike[str]
Progress = Callable[[int, int, Result], None]
SUFFIXES: Final = frozenset({".png", ".ppm", ".bmp", ".tif", ".tiff", ".webp", ".jpg", ".jpeg"})


def evaluate(
    images: AnyPath | Sequence[AnyPath],
    *,
    codec: Codec,
    points: Sequence[int | float],
    settings: Settings | None = None,
    results: AnyPath,
    jobs: int = 1,
    keep_files: bool = False,
    progress: Progress | None = None,
) -> list[Result]:
    """Measure every image at every point, or read what is stored; results by image, then point.

    images: a folder, or paths of files; compared as 8-bit RGB. points: values of the codec's
    `parameter`; settings: its other settings. results: the folder of stored results, and of the
    encoded files with `keep_files`. jobs: processes at a time, which share the machine's threads
    evenly; with one a unit has the whole machine. progress(done, total, result) is called after
    each unit; an exception from it ends the run, and what is done stays stored.

    Raises PrancError at the end if units failed; the other results are stored all the same.
    As with any use of `multiprocessing`, a script calls this under `if __name__ == "__main__"`.
    """
    _check_run(codec, points, settings or {}, jobs)
    units, folder = _units(_image_paths(images), codec, points, settings or {}), Path(results)
    found = ((index, _stored(folder, unit, keep_files)) for index, unit in enumerate(units))
    done = {index: result for index, result in found if result}
    for count, result in enumerate(done.values(), start=1):
        _tell(progress, count, len(units), result)
    failures: list[str] = []
    waiting = [(index, unit) for index, unit in enumerate(units) if index not in done]
    with closing(outcomes_of(waiting, jobs)) as outcomes:
        for index, outcome in outcomes:
            if isinstance(outcome, str):
                failures.append(f"{units[index].title()}: {outcome}")
            else:
                _store(folder, units[index], outcome, keep_files)
                done[index] = outcome[0]
                _tell(progress, len(done), len(units), outcome[0])
    _check_failures(failures, len(units), folder)
    return [done[index] for index in range(len(units))]


def _check_run(codec: Codec, points: Sequence[int | float], settings: Settings, jobs: int) -> None:
    if jobs < 1:
        raise InvalidArgument(f"jobs is the number of processes, at least 1: got {jobs}")
    if not points or len(set(points)) != len(points):
        raise InvalidArgument(f"points must be different values, at least one: got {list(points)}")
    if codec.parameter in settings:
        raise InvalidArgument(
            f"{codec.parameter!r} is in the settings, but it is what the points vary: take it out"
        )
    try:
        pickle.dumps(codec)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InvalidArgument(
            f"codec {codec.name!r} cannot be sent to another process: "
            f"encode and decode must be functions of a module, no lambdas ({error})"
        ) from error


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


def _units(
    paths: Sequence[Path], codec: Codec, points: Sequence[int | float], settings: Settings
) -> list[Unit]:
    """Every image at every point. Reads each image, for its hash and size."""
    units = []
    seen: dict[tuple[str, int], Path] = {}
    for path in paths:
        pixels = np.asarray(load_rgb(path))
        height, width, _ = pixels.shape
        sha256 = hashlib.sha256(pixels.tobytes()).hexdigest()
        other = seen.setdefault((sha256, width), path)
        if other is not path:
            raise InvalidArgument(f"{other} and {path} hold the same pixels: leave one out")
        units += [
            Unit(
                path=path,
                image_sha256=sha256,
                width=width,
                height=height,
                codec=codec,
                settings={**settings, codec.parameter: point},
            )
            for point in points
        ]
    return units


def _stored(folder: Path, unit: Unit, keep_files: bool) -> Result | None:
    """The unit's result if nothing about it needs to be made again."""
    if keep_files and not file_path(folder, unit).exists():
        return None
    return read_result(folder, unit)


def _store(folder: Path, unit: Unit, outcome: tuple[Result, bytes], keep_files: bool) -> None:
    result, data = outcome
    if keep_files:
        with write_atomically(file_path(folder, unit)) as file:
            file.write(data)
    write_result(folder, unit, result)


def _tell(progress: Progress | None, done: int, total: int, result: Result) -> None:
    if progress:
        progress(done, total, result)


def _check_failures(failures: Sequence[str], total: int, folder: Path) -> None:
    """Raise one error that names all units that failed."""
    if failures:
        listed = "\n".join(f"  {failure}" for failure in failures)
        raise PrancError(
            f"{len(failures)} of {total} units failed; the others are stored in {folder} "
            f"and will not be measured again:\n{listed}"
        )
