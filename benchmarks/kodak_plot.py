"""Draw docs/kodak.png and docs/kodak-mlp.png, and print BD-rates, from the committed results and
published points.

    python benchmarks/kodak_plot.py

`kodak_tables.py` writes the tables of the documents from the same files.
"""

from dataclasses import replace

from kodak_tables import (
    EFFORTS,
    MAX_AND_DEFAULT,
    PSNR_RANGE_DB,
    ROOT,
    compare,
    curve_over,
    interval,
    load,
    percent,
)
from rich.console import Console
from rich.table import Table

from pranc_codec.evaluate import Curve, plot_curves

REFERENCES = ("jpeg-420", "jpeg-444", "webp", "jpegxl", "avif-444")
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
    """Return the part of a curve up to a rate, so that the plot shows where ours lies."""
    points = [(b, p) for b, p in zip(curve.bpp, curve.psnr_db, strict=True) if b <= bpp]
    return Curve(
        name=curve.name, bpp=tuple(b for b, _ in points), psnr_db=tuple(p for _, p in points)
    )


def measured_curve(name: str) -> Curve:
    """Return the mean curve of a result, under its file's name."""
    return replace(load(f"results/{name}").curve(), name=name)


def add_row(
    table: Table, curve: Curve | None, anchor: Curve | None, limits: tuple[float, float] | None
) -> None:
    """Add a BD-rate to the table: over `limits`, or over all that both curves share."""
    if curve and anchor:
        found = compare(curve, anchor, limits)
        table.add_row(curve.name, anchor.name, percent(found), interval(found))


def compare_efforts(table: Table) -> None:
    """Compare effort max with the default effort on its images, and with AVIF on each of them."""
    for names in MAX_AND_DEFAULT.values():
        best, default = (replace(load(f"results/{name}"), name=name) for name in names)
        images = sorted(best.per_image)
        add_row(table, curve_over(best, images), curve_over(default, images), None)
    best = replace(load(f"results/{EFFORTS['max']}"), name=EFFORTS["max"])
    for image in sorted(best.per_image):
        avif = replace(load("results/avif-444"), name=f"avif-444, {image}")
        add_row(table, best.curve(image), avif.curve(image), PSNR_RANGE_DB)


def main() -> None:
    """Plot all curves, and compare ours with each of the others."""
    table = Table("curve", "against", "BD-rate", "interval")
    for picture, (names, most_bpp, published_names) in PLOTS.items():
        limits = PSNR_RANGE_DB if picture == "kodak" else None
        ours = [measured_curve(name) for name in names]
        references = [measured_curve(name) for name in REFERENCES]
        published = [load(f"baselines/{name}").curve() for name in published_names]
        for curve in ours:
            for anchor in [*references, *published]:
                add_row(table, curve, anchor, limits)
        shown = references[:1] if picture == "kodak-mlp" else references[1:]
        measured = [below(c, most_bpp) for c in [*ours, *shown]]
        plot_curves(
            [*measured, *published],
            ROOT / "docs" / f"{picture}.png",
            title="Kodak, mean over 24 images",
            measured={curve.name for curve in measured},
        )
    compare_efforts(table)
    Console().print(table)


if __name__ == "__main__":
    main()
