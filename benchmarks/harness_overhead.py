"""What an evaluation costs beyond the codecs that it measures.

    OMP_NUM_THREADS=1 python benchmarks/harness_overhead.py FOLDER pranc-grid:effort=0 jpeg

Runs each codec over the images of a folder in one worker, into a temporary folder, and prints CPU
seconds (which other work on the machine does not change much) of the whole run, all processes; of
encoding and decoding, repeated here on the same images; of the metrics, likewise; of starting the
worker, from a run of one unit; and what is left: reading images, handing units out, storing.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from pranc_codec.evaluate import Sweep, evaluate, parse_sweep
from pranc_codec.evaluate.measure import load_rgb
from pranc_codec.metrics import ms_ssim, psnr_db, ssim


def cpu_s() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def cpu_s_of(work: Callable[[], object]) -> float:
    start = cpu_s()
    work()
    return cpu_s() - start


def run_s(paths: list[Path], sweep: Sweep) -> float:
    """CPU seconds of a run with everything in it."""
    with tempfile.TemporaryDirectory() as results:
        return cpu_s_of(
            lambda: evaluate(
                paths, codec=sweep.codec, points=sweep.points, settings=sweep.settings,
                results=results,
            )
        )  # fmt: skip


def parts_s(paths: list[Path], sweep: Sweep) -> tuple[float, float]:
    """CPU seconds of the codec and of the metrics, without any harness."""
    codec_s = metrics_s = 0.0
    for path in paths:
        image = load_rgb(path)
        pixels = np.asarray(image)
        for point in sweep.points:
            settings = {**sweep.codec.settings, **sweep.settings, sweep.codec.parameter: point}
            start = cpu_s()
            decoded = sweep.codec.decode(sweep.codec.encode(image, settings))
            coded = cpu_s()
            for metric in (psnr_db, ssim, ms_ssim):
                metric(pixels, decoded)
            codec_s, metrics_s = codec_s + coded - start, metrics_s + cpu_s() - coded
    return codec_s, metrics_s


def main() -> None:
    """Measure and print."""
    paths = sorted(Path(sys.argv[1]).glob("*.png"))
    table = Table(
        "codec", "units", "run", "codec", "metrics", "start", "left", "left / codec", "wall"
    )
    for text in sys.argv[2:]:
        sweep = parse_sweep(text)
        one = Sweep(codec=sweep.codec, points=sweep.points[:1], settings=sweep.settings)
        parts_s(paths[:1], one)  # imports
        begin = time.perf_counter()
        run = run_s(paths, sweep)
        wall = time.perf_counter() - begin
        start = run_s(paths[:1], one) - sum(parts_s(paths[:1], one))
        codec, metrics = parts_s(paths, sweep)
        left = run - codec - metrics - start
        numbers = (f"{seconds:.2f} s" for seconds in (run, codec, metrics, start, left))
        units = len(paths) * len(sweep.points)
        table.add_row(text, str(units), *numbers, f"{100 * left / codec:.1f} %", f"{wall:.0f} s")
    Console(width=120).print(
        table, f"{len(paths)} images, {os.environ.get('OMP_NUM_THREADS')} threads"
    )


if __name__ == "__main__":
    main()
