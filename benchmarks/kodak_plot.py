"""Draw docs/kodak.png and print BD-rates from the committed results and published points.

python benchmarks/kodak_plot.py
"""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from pranc_codec.evaluate import bd_rate, load_curve, plot_curves

KODAK = Path(__file__).parent.parent / "datasets" / "kodak"
OURS = ("mlp-default",)
REFERENCES = ("jpeg-420", "jpeg-444")
PUBLISHED = ("coin", "coin-plus-plus", "inric-basic", "inric-meta", "recombiner", "jpeg2000")


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
    measured = [*ours, references[0]]
    plot_curves(
        [*measured, *published],
        Path(__file__).parent.parent / "docs" / "kodak.png",
        title="Kodak, mean over 24 images",
        measured={curve.name for curve in measured},
    )


if __name__ == "__main__":
    main()
