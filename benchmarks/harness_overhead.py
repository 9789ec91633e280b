"""Measure the overhead of an evaluation beyond the codecs that it measures.

    OMP_NUM_THREADS=1 python benchmarks/harness_overhead.py FOLDER pranc-grid:effort=0 jpeg -n 6

The table shows CPU seconds, which other work on the machine hardly changes: those of encoding and
decoding; of the metrics; of everything else that a worker does for its units (reading images,
warming up, releasing memory); and of the process that distributes the units and stores the results,
including its start. The last two are the overhead. The units are measured in this process, one
after the other.
"""

import resource
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from pranc_codec.evaluate import Sweep, evaluate, parse_sweep
from pranc_codec.evaluate.harness.measure import load_rgb, measure
from pranc_codec.evaluate.harness.plan import read_records, units_of
from pranc_codec.metrics import ms_ssim, psnr_db, ssim, ssimulacra2

METRICS = (psnr_db, ssim, ms_ssim, ssimulacra2)


def cpu_s() -> float:
    """Return the CPU seconds of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def counted(spent: Counter[str], name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """Return `work`, wrapped so that its CPU seconds are added to spent[name]."""

    def wrapper(*arguments: Any) -> Any:
        start = cpu_s()
        try:
            return work(*arguments)
        finally:
            spent[name] += cpu_s() - start

    return wrapper


def in_a_worker(paths: list[Path], sweep: Sweep) -> Counter[str]:
    """Return the CPU seconds of the codec, of the metrics, and of measuring units in total.

    The metrics are computed once more on the decoded images, to time them alone.
    """
    spent: Counter[str] = Counter()
    decoded: list[np.ndarray] = []

    def decode(data: bytes) -> np.ndarray:
        decoded.append(counted(spent, "codec", sweep.codec.decode)(data))
        return decoded[-1]

    encode = counted(spent, "codec", sweep.codec.encode)
    codec = replace(sweep.codec, encode=encode, decode=decode)
    units = units_of(read_records(paths), replace(sweep, codec=codec))
    measure(units[0])
    spent.clear()
    for unit in units:
        counted(spent, "all", measure)(unit)
        original = np.asarray(load_rgb(unit.path))
        for metric in METRICS:
            counted(spent, "metrics", metric)(original, decoded[-1])
    return spent


def in_the_parent(paths: list[Path], sweep: Sweep) -> float:
    """Return the CPU seconds of the process that runs an evaluation, without its workers."""
    start = cpu_s()
    with tempfile.TemporaryDirectory() as results:
        evaluate(
            paths, codec=sweep.codec, points=sweep.points, settings=sweep.settings, results=results
        )
    return cpu_s() - start


def main(
    folder: Path,
    codecs: list[str],
    images: Annotated[int | None, typer.Option("-n", help="Use only the first N images.")] = None,
) -> None:
    """Measure the overhead for some codecs, and print a table."""
    torch.set_num_threads(1)
    paths = sorted(folder.glob("*.png"))[:images]
    table = Table("codec", "units", "codec s", "metrics s", "worker s", "parent s", "harness/codec")
    for text in codecs:
        sweep = parse_sweep(text)
        spent, parent = in_a_worker(paths, sweep), in_the_parent(paths, sweep)
        worker = spent["all"] - spent["codec"] - spent["metrics"]
        numbers = (spent["codec"], spent["metrics"], worker, parent)
        units = len(paths) * len(sweep.points)
        part = f"{100 * (worker + parent) / spent['codec']:.2f} %"
        table.add_row(text, str(units), *(f"{seconds:.2f}" for seconds in numbers), part)
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
