"""Accuracy over bytes on the wire."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from pranc_codec.condense.experiment import Result
from pranc_codec.files import write_atomically

NAMES: Final = {"hash": "PRANC, hash", "dense": "PRANC, dense", "pruned": "magnitude pruning"}


def plot(results: Sequence[Result], path: Path) -> None:
    """One curve a method; full training as a line across."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for method, name in NAMES.items():
        points = sorted(
            (r.size_bytes, 100 * r.test_accuracy) for r in results if r.method == method
        )
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
    for full in (r for r in results if r.method == "full"):
        label = f"full training, {full.size_bytes} bytes in float32"
        axes.axhline(100 * full.test_accuracy, color="grey", linestyle="--", label=label)
    axes.set(xscale="log", xlabel="bytes on the wire", ylabel="test accuracy, %")
    axes.set_title(f"LeNet on MNIST, {results[0].epochs:g} epochs, one seed")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    with write_atomically(path) as file:
        figure.savefig(file, format="png", dpi=120)
