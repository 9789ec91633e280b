"""Draw docs/kodak.png and docs/kodak-mlp.png, and print BD-rates, from the committed results and
published points.

python benchmarks/kodak_plot.py
"""

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from pranc_codec import PrancError
from pranc_codec.evaluate import Curve, bd_rate, load_curve, plot_curves

KODAK = Path(__file__).parent.parent / "datasets" / "kodak"
REFERENCES = ("jpeg-420", "jpeg-444", "webp", "jpegxl", "avif-444")
LOW_DB, HIGH_DB = 28.0, 39.0
BEST = "grid-effort-max"
PLOTS = {  # name of the picture: (ours, highest rate, published)
    "kodak": (
        ("grid-effort-0", "grid-effort-default"), 2.5,
        ("bpg-444", "vtm", "jpeg2000", "cool-chic-5.0.1", "c3-adaptive"),
    ),
    "kodak-mlp": (
        ("mlp-default",), 0.75,
        ("coin", "coin-plus-plus", "inric-basic", "inric-meta", "recombiner", "jpeg2000"),
    ),
}  # fmt: skip


def below(curve: Curve, bpp: float) -> Curve:
    """The part of a curve up to a rate, so that the plot shows where ours lies."""
    points = [(b, p) for b, p in zip(curve.bpp, curve.psnr_db, strict=True) if b <= bpp]
    return Curve(
        name=curve.name, bpp=tuple(b for b, _ in points), psnr_db=tuple(p for _, p in points)
    )


def result(name: str) -> Path:
    return KODAK / "results" / f"{name}.json"


def images_of(name: str) -> list[str]:
    return sorted(json.loads(result(name).read_text())["per_image"])


def on_images(name: str, images: list[str]) -> Curve:
    """The curve of a result over some of its images."""
    per_image = json.loads(result(name).read_text())["per_image"]
    mean = {
        key: tuple(map(fmean, zip(*(per_image[image][key] for image in images), strict=True)))
        for key in ("bpp", "psnr-rgb")
    }
    return Curve(name=name, bpp=mean["bpp"], psnr_db=mean["psnr-rgb"])


def compare(curve: Curve, anchor: Curve, table: Table, limits: tuple[float, float] | None) -> None:
    """A line of the table: over `limits`, or over all that both share."""
    try:
        bd = bd_rate(curve, anchor, psnr_range_db=limits)
    except PrancError as error:
        table.add_row(curve.name, anchor.name, "-", str(error).splitlines()[0][:60])
        return
    table.add_row(
        curve.name, anchor.name, f"{bd.percent:+.1f} %", f"{bd.low_db:.1f} to {bd.high_db:.1f} dB"
    )


def main() -> None:
    """Plot all curves; compare ours with each of the others."""
    table = Table("curve", "against", "BD-rate", "interval")
    for picture, (names, most_bpp, published_names) in PLOTS.items():
        limits = (LOW_DB, HIGH_DB) if picture == "kodak" else None
        ours = [load_curve(result(name)) for name in names]
        ours = [replace(c, name=n) for c, n in zip(ours, names, strict=True)]
        references = [replace(load_curve(result(n)), name=n) for n in REFERENCES]
        published = [load_curve(KODAK / "baselines" / f"{name}.json") for name in published_names]
        for curve in ours:
            for anchor in [*references, *published]:
                compare(curve, anchor, table, limits)
        shown = references[:1] if picture == "kodak-mlp" else references[1:]
        measured = [below(c, most_bpp) for c in [*ours, *shown]]
        plot_curves(
            [*measured, *published],
            Path(__file__).parent.parent / "docs" / f"{picture}.png",
            title="Kodak, mean over 24 images",
            measured={curve.name for curve in measured},
        )
    for part, whole in (
        ("mlp-max-five-images", "mlp-default"),
        (BEST, "grid-effort-default"),
    ):
        compare(on_images(part, images_of(part)), on_images(whole, images_of(part)), table, None)
    for image in images_of(BEST):
        anchor = replace(on_images("avif-444", [image]), name=f"avif-444, {image}")
        compare(on_images(BEST, [image]), anchor, table, (LOW_DB, HIGH_DB))
    Console().print(table)


if __name__ == "__main__":
    main()
