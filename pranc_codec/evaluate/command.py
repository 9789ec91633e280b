"""What `pranc evaluate` does: run codecs, average, compare, plot."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.codecs import Settings, find_codec
from pranc_codec.evaluate.plot import plot_curves
from pranc_codec.evaluate.report import Curve, aggregate, bd_rate, load_curve, write_report
from pranc_codec.evaluate.run import evaluate
from pranc_codec.evaluate.store import Result

ProgressBar = Callable[[int, int, str], None]


def run_evaluation(
    folder: Path,
    *,
    codecs: Sequence[str],
    points: Sequence[float],
    parameter: str | None,
    results: Path,
    effort: str,
    jobs: int,
    anchors: Sequence[Path],
    progress: ProgressBar,
) -> str:
    """Evaluate each codec at all points; write a report per codec and a plot; describe them."""
    published = [load_curve(path) for path in anchors]
    curves = [
        _run_codec(folder, name, points, parameter, results, effort, jobs, progress)
        for name in codecs
    ]
    plot = results / "rate-distortion.png"
    plot_curves([*curves, *published], plot, title=folder.name, measured={c.name for c in curves})
    lines = [
        f"{c.name}: {b:.4f} bpp  {p:.2f} dB"
        for c in curves
        for b, p in zip(c.bpp, c.psnr_db, strict=True)
    ]
    lines += _comparisons(curves, published)
    return "\n".join([*lines, f"plot: {plot}"])


def _run_codec(
    folder: Path, name: str, points: Sequence[float], parameter: str | None,
    results: Path, effort: str, jobs: int, progress: ProgressBar,
) -> Curve:  # fmt: skip
    ours = name.startswith("pranc")
    codec = find_codec(name, parameter=parameter if ours else None)
    settings: Settings = {"effort": int(effort) if effort.isdigit() else effort} if ours else {}
    values = [int(p) if p.is_integer() else p for p in points]

    def show(done: int, total: int, result: Result) -> None:
        progress(done, total, f"{name} {result.image}")

    measured = evaluate(
        folder, codec=codec, points=values, settings=settings, results=results / "units",
        jobs=jobs, progress=show,
    )  # fmt: skip
    path = results / f"{name}.json"
    write_report(aggregate(measured), path)
    return load_curve(path)


def _comparisons(curves: Sequence[Curve], others: Sequence[Curve]) -> list[str]:
    """BD-rates of every measured curve against the other curves, where they overlap."""
    lines = []
    for curve in curves:
        for anchor in [c for c in [*curves, *others] if c is not curve]:
            try:
                bd = bd_rate(curve, anchor)
            except InvalidArgument as error:
                lines.append(f"BD-rate of {curve.name} against {anchor.name}: {error}")
                continue
            lines.append(
                f"BD-rate of {curve.name} against {anchor.name}: {bd.percent:+.1f} % "
                f"({bd.low_db:.2f} to {bd.high_db:.2f} dB)"
            )
    return lines
