"""The work of `pranc report`: read results, compare them, and write tables, a plot and a page."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.callbacks import BarCallback
from pranc_codec.evaluate.harness.plan import IMAGE_SUFFIXES
from pranc_codec.evaluate.report.crops import Comparison, compare_at_equal_bytes
from pranc_codec.evaluate.report.page import render_page
from pranc_codec.evaluate.report.plot import plot_curves
from pranc_codec.evaluate.report.report import Report, load_reports
from pranc_codec.evaluate.report.tables import bd_table
from pranc_codec.files import write_atomically

DEFAULT_CROPS: Final = 3
"""The number of images that are shown if none is named."""


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
    progress: BarCallback,
) -> str:
    """Write bd-rate.md, bd-rate.csv, rate-distortion.png and report.html into the output folder.

    results: JSON files, or folders of them. anchor: name of the curve to compare with (the first if
    None). psnr_range_db: interval of the BD-rates. images: folder of the images; with it the page
    shows crops at the rate `crop_bpp`, of the images named in `crops` or of three.

    Returns the table of BD-rates as Markdown. Raises InvalidArgument for files that are no results,
    and for an anchor or an image that does not exist.
    """
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
    """Return the report of this name, or the first one if the name is None."""
    found = [report for report in reports if name in (None, report.name)]
    if not found:
        raise InvalidArgument(
            f"no curve is called {name!r}: there are {', '.join(r.name for r in reports)}"
        )
    return found[0]


def _labelled(report: Report, base: Report) -> Report:
    """Add the number of images to the report's name if they are not the anchor's images."""
    if not (report.images and base.images) or report.images == base.images:
        return report
    return replace(report, name=f"{report.name} ({len(report.images)} images)")


def _comparisons(
    reports: Sequence[Report],
    images: Path,
    names: Sequence[str],
    bpp: float,
    progress: BarCallback,
) -> list[Comparison]:
    """Compare crops of the named images of a folder, or of a few images spread over it."""
    files = sorted(path for path in images.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    paths = {path.stem: path for path in files}
    missing = sorted(set(names) - set(paths))
    if missing or not paths:
        raise InvalidArgument(f"{images} has no image {', '.join(missing) or 'at all'}")
    chosen = list(dict.fromkeys(names)) or _spread_over(list(paths), DEFAULT_CROPS)
    comparisons = []
    for number, name in enumerate(chosen):
        progress(number, len(chosen), f"crops of {name}")
        comparisons.append(compare_at_equal_bytes(paths[name], reports, bpp))
    return comparisons


def _spread_over(names: Sequence[str], count: int) -> list[str]:
    """Return `count` names that are evenly spread over the list, or fewer if it is shorter."""
    return list(dict.fromkeys(names[(2 * i + 1) * len(names) // (2 * count)] for i in range(count)))
