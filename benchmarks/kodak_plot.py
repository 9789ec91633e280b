"""Draw docs/kodak.png and print BD-rates from the committed results and published points.

python benchmarks/kodak_plot.py
"""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from pranc_codec.evaluate import Curve, bd_rate, load_curve, plot_curves

KODAK = Path(__file__).parent.parent / "datasets" / "kodak"
OURS = ("mlp-default",)
REFERENCES = ("jpeg-420", "jpeg-444")
MOST_BPP = 0.75
PUBLISHED = ("coin", "coin-plus-plus", "inric-basic", "inric-meta", "recombiner", "jpeg2000")


def below(curve: Curve, bpp: float) -> Curve:
    """The part of a curve up to a rate, so that the plot shows where ours lies."""
    points = [(b, p) for b, p in zip(curve.bpp, curve.psnr_db, strict=True) if b <= bpp]
    return Curve(
        name=curve.name, bpp=tuple(b for b, _ in points), psnr_db=tuple(p for _, p in points)
    )


def main() -> None:
    """Plot all curves; compare ours with each of the others over all that both share."""
    ours = [load_curve(KODAK / "results" / f"{name}.json") for name in OURS]
    references = [load_curve(KODAK / "results" / f"{name}.json") for name in REFERENCES]
    published = [load_curve(KODAK / "baselines" / f"{name}.json") for name in PUBLISHED]
    table = Table("curve", "against", "BD-rate", "interval")
    for curve in ours:
        for anchor in [*references, *published]:
            bd = bd_rate(curve, anchor)
            interval = f"{bd.low_db:.1f} to {bd.high_db:.1f} dB"
            table.add_row(curve.name, anchor.name, f"{bd.percent:+.1f} %", interval)
    Console().print(table)
    measured = [*ours, below(references[0], MOST_BPP)]
    plot_curves(
        [*measured, *published],
        Path(__file__).parent.parent / "docs" / "kodak.png",
        title="Kodak, mean over 24 images",
        measured={curve.name for curve in measured},
    )


if __name__ == "__main__":
    main()
