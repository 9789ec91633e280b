"""Write the tables of Kodak results into documents, from the committed JSON files.

    python benchmarks/kodak_tables.py                    write the tables of all documents
    python benchmarks/kodak_tables.py docs/results.md    write the tables of this document
    python benchmarks/kodak_tables.py --check            change nothing; exit with 1 if one is stale
    python benchmarks/kodak_tables.py --list             print every table

Two comments in a document mark the place of a table, and everything between them is replaced:

    <!-- table: grid-results -->
    <!-- end -->
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, Final

import numpy as np
import typer
from scipy.interpolate import PchipInterpolator

from pranc_codec import PrancError
from pranc_codec.evaluate import BdRate, Curve, Report, bd_rate, load_report

ROOT: Final = Path(__file__).resolve().parent.parent
KODAK: Final = ROOT / "datasets" / "kodak"
DOCUMENTS: Final = ("README.md", "datasets/kodak/readme.md", "docs/**/*.md")
BLOCK: Final = re.compile(
    r"(<!-- table: ([^\n]+?) -->\n)(?:(?!<!-- table: ).)*?(<!-- end -->)", re.DOTALL
)
PSNR_RANGE_DB: Final = (28.0, 39.0)
IMAGES: Final = 24
NONE: Final = "-"

EFFORTS: Final = {"0": "grid-effort-0", "default": "grid-effort-default", "max": "grid-effort-max"}
GRID_ANCHORS: Final = {
    "JPEG 4:4:4": "results/jpeg-444",
    "AVIF 4:4:4": "results/avif-444",
    "BPG 4:4:4": "baselines/bpg-444",
    "C3 (adaptive)": "baselines/c3-adaptive",
    "VTM": "baselines/vtm",
    "Cool-chic 5": "baselines/cool-chic-5.0.1",
}
MLP_RATES_BPP: Final = (0.05, 0.1, 0.2, 0.4)
MLP_ANCHORS: Final = {
    "COIN": "baselines/coin",
    "COIN++": "baselines/coin-plus-plus",
    "JPEG 4:2:0": "results/jpeg-420",
    "INRIC, basic": "baselines/inric-basic",
    "INRIC, meta-learned prior": "baselines/inric-meta",
    "RECOMBINER": "baselines/recombiner",
}
MAX_AND_DEFAULT: Final = {
    "grid": ("grid-effort-max", "grid-effort-default"),
    "mlp": ("mlp-max-five-images", "mlp-default"),
}


def load(name: str) -> Report:
    """Read `results/NAME` or `baselines/NAME` of the Kodak folder."""
    return load_report(KODAK / f"{name}.json")


def mean_curve(report: Report, images: Sequence[str], name: str | None = None) -> Curve:
    """Average a report's single images, all or some of them, into one curve."""
    series = [report.per_image[image] for image in images]
    bpp, psnr_db = (
        tuple(map(fmean, zip(*(each[key] for each in series), strict=True)))
        for key in ("bpp", "psnr-rgb")
    )
    return Curve(name=name or report.name, bpp=bpp, psnr_db=psnr_db)


def curve_over(report: Report, images: Sequence[str]) -> Curve | None:
    """Return the curve of these images; None if the report only has means over all 24."""
    if len(images) == IMAGES:
        return report.curve()
    return mean_curve(report, images) if set(images) <= set(report.per_image) else None


def compare(
    curve: Curve | None, anchor: Curve | None, limits_db: tuple[float, float] | None
) -> BdRate | None:
    """Return the BD-rate within `limits_db`, or over all that both cover; None if there is none."""
    if curve is None or anchor is None:
        return None
    try:
        return bd_rate(curve, anchor, psnr_range_db=limits_db)
    except PrancError:
        return None


def psnr_at(curve: Curve, bpp: float) -> float | None:
    """Return PSNR at a rate, of a point within 2 % or interpolated; None outside the curve."""
    nearest = min(range(len(curve.bpp)), key=lambda i: abs(curve.bpp[i] - bpp))
    if abs(curve.bpp[nearest] / bpp - 1) < 0.02:
        return curve.psnr_db[nearest]
    if not curve.bpp[0] <= bpp <= curve.bpp[-1]:
        return None
    return float(PchipInterpolator(np.log(curve.bpp), curve.psnr_db)(np.log(bpp)))


def grid_results() -> str:
    """Compare the grid profile with other codecs, one row for each effort."""
    anchors = {label: load(name) for label, name in GRID_ANCHORS.items()}
    rows = []
    for effort, name in EFFORTS.items():
        report = load(f"results/{name}")
        images = sorted(report.per_image)
        if len(images) < IMAGES:  # the default effort on the same images, to compare with
            default = load(f"results/{EFFORTS['default']}")
            rows.append(_grid_row("default", default, images, anchors))
        rows.append(_grid_row(effort, report, images, anchors))
    return table(["effort", "images", "rates", *(f"vs {label}" for label in anchors)], rows)


def _grid_row(
    effort: str, report: Report, images: Sequence[str], anchors: Mapping[str, Report]
) -> list[str]:
    curve = curve_over(report, images)
    found = [compare(curve, curve_over(a, images), PSNR_RANGE_DB) for a in anchors.values()]
    return [effort, f"{len(images)}", f"{len(report.points)}", *map(percent, found)]


def grid_quality() -> str:
    """List mean rate and PSNR of the grid profile at effort 0, by quality."""
    report = load("results/grid-effort-0")
    rows = [
        ["bpp", *(f"{bpp:.2f}" for bpp in report.results["bpp"] if bpp)],
        ["PSNR (dB)", *(f"{psnr:.1f}" for psnr in report.results["psnr-rgb"] if psnr)],
    ]
    return table(["quality", *map(str, report.points)], rows)


def mlp_results() -> str:
    """List PSNR of the mlp profile and of others at low rates, and our BD-rate against each."""
    ours = load("results/mlp-default").curve()
    rows = [["**ours, mlp, default effort**", *map(decibels, _at_rates(ours)), "", ""]]
    for label, name in MLP_ANCHORS.items():
        anchor = load(name).curve()
        found = compare(ours, anchor, None)
        rows.append([label, *map(decibels, _at_rates(anchor)), percent(found), interval(found)])
    rates = [f"{bpp:g} bpp" for bpp in MLP_RATES_BPP]
    return table(["PSNR (dB)", *rates, "our BD-rate against it", "interval"], rows)


def _at_rates(curve: Curve) -> list[float | None]:
    return [psnr_at(curve, bpp) for bpp in MLP_RATES_BPP]


def effort_max() -> str:
    """Compare effort max with the default effort of each profile, over the images of both."""
    rows = []
    for profile, names in MAX_AND_DEFAULT.items():
        best, default = (load(f"results/{name}") for name in names)
        images = sorted(best.per_image)
        found = compare(curve_over(best, images), curve_over(default, images), None)
        rows.append([f"`{profile}`", ", ".join(images), percent(found), interval(found)])
    return table(["profile", "images", "max vs default", "interval"], rows)


def grid_max_images() -> str:
    """Compare the grid profile at effort max with AVIF, image by image."""
    best, avif = load(f"results/{EFFORTS['max']}"), load(GRID_ANCHORS["AVIF 4:4:4"])
    rows = []
    for image in sorted(best.per_image):
        found = compare(best.curve(image), avif.curve(image), PSNR_RANGE_DB)
        rows.append([image, percent(found), interval(found)])
    return table(["image", "effort max vs AVIF 4:4:4", "interval"], rows)


def all_results() -> str:
    """Compare all results of 24 images between 28 and 39 dB with JPEG 4:4:4."""
    return _against_jpeg("results", lambda report: report.version or "")


def published_points() -> str:
    """Compare all published points with JPEG 4:4:4."""
    return _against_jpeg("baselines", lambda report: report.name)


def _against_jpeg(folder: str, about: Callable[[Report], str]) -> str:
    """Compare a folder's files with JPEG 4:4:4, best first; files without a BD-rate are omitted."""
    jpeg = load(GRID_ANCHORS["JPEG 4:4:4"]).curve()
    found = []
    for path in sorted((KODAK / folder).glob("*.json")):
        report = load_report(path)
        whole = len(report.per_image) in (0, IMAGES)
        bd = compare(report.curve(), jpeg, PSNR_RANGE_DB) if whole else None
        if bd and report.name != jpeg.name:
            found.append((bd.percent, [f"`{path.stem}`", about(report), percent(bd), interval(bd)]))
    rows = [row for _, row in sorted(found)]
    return table(["file", "codec", "BD-rate vs JPEG 4:4:4", "interval"], rows)


def jpeg_at_50() -> str:
    """List rate and PSNR of JPEG at quality 50, to compare with those of another machine."""
    rows = []
    for name in ("jpeg-420", "jpeg-444"):
        report = load(f"results/{name}")
        i = list(report.points).index(50)
        bpp, psnr_db = (report.results[key][i] for key in ("bpp", "psnr-rgb"))
        rows.append([f"`{name}`", f"{bpp:.3f}", f"{psnr_db:.2f}"])
    return table(["codec at quality 50", "bpp", "PSNR (dB)"], rows)


TABLES: Final[dict[str, Callable[[], str]]] = {
    "grid-results": grid_results,
    "grid-quality": grid_quality,
    "grid-max-images": grid_max_images,
    "mlp-results": mlp_results,
    "effort-max": effort_max,
    "kodak-results": all_results,
    "kodak-published": published_points,
    "jpeg-at-50": jpeg_at_50,
}


def percent(found: BdRate | None) -> str:
    """Return a BD-rate for people, or a dash."""
    return found.percent_text() if found else NONE


def interval(found: BdRate | None) -> str:
    """Return the interval of a BD-rate for people, or a dash."""
    return found.interval_text() if found else NONE


def decibels(psnr_db: float | None) -> str:
    """Return a PSNR for people, or a dash."""
    return NONE if psnr_db is None else f"{psnr_db:.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def filled(text: str) -> str:
    """Return the text of a document with every table as it should be.

    Raises ValueError for a table that has no end or whose name is not one of `TABLES`.
    """
    names = [found[2] for found in BLOCK.finditer(text)]
    unknown = sorted(set(names) - set(TABLES))
    if unknown:
        raise ValueError(f"no table is called {unknown[0]!r}: known are {', '.join(TABLES)}")
    if len(names) != text.count("<!-- table: "):
        raise ValueError("a table has no <!-- end -->")
    return BLOCK.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", text)


def documents() -> list[Path]:
    """Return all documents that may hold tables."""
    return sorted(path for pattern in DOCUMENTS for path in ROOT.glob(pattern))


def main(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="[DOCUMENT]...")] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit with 1.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="Print every table.")] = False,
) -> None:
    """Write the tables of Kodak results into documents."""
    if list_all:
        print("\n\n".join(f"{name}\n\n{make()}" for name, make in TABLES.items()))
        return
    stale = []
    for path in paths or documents():
        text = path.read_text(encoding="utf-8")
        try:
            wanted = filled(text)
        except ValueError as error:
            raise typer.BadParameter(f"{path}: {error}") from error
        if wanted != text:
            stale.append(path)
            if not check:
                path.write_text(wanted, encoding="utf-8")
    for path in stale:
        print(f"{path}: tables {'differ from the results' if check else 'written'}")
    if check and stale:
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
