"""The work of `pranc evaluate`: run codecs, average their results, compare and plot them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.callbacks import BarCallback
from pranc_codec.evaluate.codecs.codec import Sweep
from pranc_codec.evaluate.codecs.registry import parse_sweep
from pranc_codec.evaluate.harness.folder import Folder
from pranc_codec.evaluate.harness.run import Execution, evaluate_all
from pranc_codec.evaluate.harness.store import Result
from pranc_codec.evaluate.report.aggregate import aggregate, report_text
from pranc_codec.evaluate.report.plot import plot_png
from pranc_codec.evaluate.report.report import Report, load_report, parse_report
from pranc_codec.evaluate.report.tables import bd_table

PLOT: Final = "rate-distortion.png"


def run_evaluation(
    folder: Path,
    *,
    codecs: Sequence[str],
    points: Sequence[float],
    results: str,
    execution: Execution,
    keep_files: bool,
    anchors: Sequence[Path],
    progress: BarCallback,
) -> str:
    """Evaluate codecs over a folder of images; write a report for each and a plot.

    codecs: texts that `parse_sweep` reads. points: points for every codec; if empty, its own ones.
    results: folder or fsspec URL to write to. anchors: files of published points for the plot and
    the BD-rates.

    Returns a description of what was measured. With a shard, only its part of the units is measured
    and stored, and neither reports nor a plot are written.
    """
    published = [load_report(path) for path in anchors]
    sweeps = [_at(parse_sweep(text), points) for text in codecs]
    names = _names(sweeps)

    def show(done: int, total: int, result: Result) -> None:
        progress(done, total, f"{result.codec} {result.image}")

    measured = evaluate_all(
        folder, sweeps, results=f"{results}/units", execution=execution, keep_files=keep_files,
        progress=show,
    )  # fmt: skip
    if execution.shard != (1, 1):
        count = sum(map(len, measured))
        return f"{count} units of this shard are in {results}: run without --shard to gather all"
    out = Folder(results)
    reports = []
    for name, found in zip(names, measured, strict=True):
        text = report_text(aggregate(found, name=name)).encode()
        out.write(f"{name}.json", text)
        reports.append(parse_report(text, name))
    return _describe([*reports, *published], names, folder.name, out)


def parse_shard(text: str) -> tuple[int, int]:
    """Read a shard of the form `i/n`."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal()):
        raise InvalidArgument(f"--shard {text!r}: expected i/n, such as 1/4, 2/4, 3/4 and 4/4")
    return int(part), int(parts)


def parse_resources(texts: Sequence[str]) -> dict[str, float]:
    """Read resources of the form `NAME=AMOUNT`."""
    try:
        return {name: float(amount) for name, amount in (text.split("=") for text in texts)}
    except ValueError as error:
        raise InvalidArgument(f"--resource {' '.join(texts)}: expected NAME=AMOUNT") from error


def _at(sweep: Sweep, points: Sequence[float]) -> Sweep:
    """Return the sweep with these points instead of its own, if there are any."""
    values = tuple(int(point) if float(point).is_integer() else point for point in points)
    return Sweep(codec=sweep.codec, points=values or sweep.points, settings=sweep.settings)


def _names(sweeps: Sequence[Sweep]) -> list[str]:
    """Name each curve and its file after the codec and the settings that were given."""
    names = [
        "-".join([sweep.codec.name, *(f"{key}-{value}" for key, value in sweep.settings.items())])
        for sweep in sweeps
    ]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InvalidArgument(
            f"two curves would be called {twice[0]}: run them one after the other"
        )
    return [name.replace("/", "_").replace(":", "_") for name in names]


def _describe(reports: Sequence[Report], measured: Sequence[str], title: str, out: Folder) -> str:
    """Write the plot; return the measured points and BD-rates against the first curve, as text."""
    points = [
        f"{report.name}: {bpp:.4f} bpp  {'lossless' if psnr is None else f'{psnr:.2f} dB'}"
        for report in reports[: len(measured)]
        for bpp, psnr in zip(report.results["bpp"], report.results["psnr-rgb"], strict=True)
    ]
    lossy = [report for report in reports if any(report.results["psnr-rgb"])]
    if not lossy:
        return "\n".join([*points, f"reports: {out.url}"])
    names = {report.name for report in lossy} & set(measured)
    png = plot_png([report.curve() for report in lossy], title=title, measured=names)
    out.write(PLOT, png)
    tables = [bd_table(lossy, lossy[0]).markdown()] if len(lossy) > 1 else []
    return "\n".join([*points, "", *tables, f"reports and {PLOT}: {out.url}"])
