"""What `pranc report` does: read results, compare them, draw them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.harness.run import SUFFIXES
from pranc_codec.evaluate.report.crops import Comparison, compare_at_equal_bytes
from pranc_codec.evaluate.report.page import render_page
from pranc_codec.evaluate.report.plot import plot_curves
from pranc_codec.evaluate.report.report import Report, load_reports
from pranc_codec.evaluate.report.tables import bd_table
from pranc_codec.files import write_atomically

ProgressBar = Callable[[int, int, str], None]
CROPS = 3  # images shown if nobody names any


def write_comparison(
    results: Sequence[Path],
    output: Path,
    *,
    title: str,
    anchor: str | None,
    psnr_range_db: tuple[float, float] | None,
    images: Path | None,
    crops: Sequence[str],
    crop_bpp: float,
    progress: ProgressBar,
) -> str:
    """Write bd-rate.md, bd-rate.csv, rate-distortion.png and report.html; returns the table."""
    reports = load_reports(results)
    base = _anchor(reports, anchor)
    reports = [_labelled(report, base) for report in reports]
    table = bd_table(reports, base, psnr_range_db=psnr_range_db)
    lossy = [report for report in reports if any(report.results["psnr-rgb"])]
    measured = {report.name for report in lossy if report.per_image}
    plot_curves(
        [report.curve() for report in lossy], output / "rate-distortion.png",
        title=title, measured=measured,
    )  # fmt: skip
    comparisons = _comparisons(reports, images, crops, crop_bpp, progress) if images else []
    page = render_page(reports, title=title, table=table, comparisons=comparisons)
    for name, text in (
        ("bd-rate.md", table.markdown()), ("bd-rate.csv", table.csv()), ("report.html", page),
    ):  # fmt: skip
        with write_atomically(output / name) as file:
            file.write(text.encode())
    return table.markdown()


def _anchor(reports: Sequence[Report], name: str | None) -> Report:
    """The report of this name, or the first."""
    found = [report for report in reports if name in (None, report.name)]
    if not found:
        raise InvalidArgument(
            f"no curve is called {name!r}: there are {', '.join(r.name for r in reports)}"
        )
    return found[0]


def _labelled(report: Report, base: Report) -> Report:
    """The report with its number of images in its name, where they are not the anchor's."""
    if not (report.images and base.images) or report.images == base.images:
        return report
    return replace(report, name=f"{report.name} ({len(report.images)} images)")


def _comparisons(
    reports: Sequence[Report],
    images: Path,
    names: Sequence[str],
    bpp: float,
    progress: ProgressBar,
) -> list[Comparison]:
    """Crops of the named images of a folder, or of a few that are spread over it."""
    paths = {
        path.stem: path for path in sorted(images.iterdir()) if path.suffix.lower() in SUFFIXES
    }
    missing = sorted(set(names) - set(paths))
    if missing or not paths:
        raise InvalidArgument(f"{images} has no image {', '.join(missing) or 'at all'}")
    known = list(paths)
    chosen = names or [known[(2 * i + 1) * len(known) // (2 * CROPS)] for i in range(CROPS)]
    comparisons = []
    for number, name in enumerate(dict.fromkeys(chosen)):
        progress(number, len(chosen), f"crops of {name}")
        comparisons.append(compare_at_equal_bytes(paths[name], reports, bpp))
    return comparisons
