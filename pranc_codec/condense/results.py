"""Read the results of experiments from a folder, and present them as a table and as a plot."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from pranc_codec.files import write_atomically

Result = dict[str, Any]
COLOURS: Final = {"dct": "#7b2d8b", "hash": "#d1495b", "dense": "#00798c", "pruned": "#777777"}
LABELS: Final = {
    "dct": "PRANC, dct basis",
    "hash": "PRANC, hash basis",
    "dense": "PRANC, dense basis",
    "pruned": "magnitude pruning",
}


def read_results(folder: Path) -> list[Result]:
    """Read all results in a folder, in rising order of file size; ignore other JSON files."""
    read = [_read(path) for path in folder.glob("*.json")]
    found = [r for r in read if "file_bytes" in r and "network" in r]
    return sorted(found, key=lambda result: (result["file_bytes"], result["name"]))


def _read(path: Path) -> Result:
    try:
        found = json.loads(path.read_text())
    except ValueError:  # not JSON, or not even text
        return {}
    return found if isinstance(found, dict) else {}


def as_table(results: Sequence[Result]) -> str:
    """Return a Markdown table below a line that names the network and the data set."""
    if not results:
        return "no results"
    head = f"{results[0]['network']} on {results[0]['dataset']}"
    lines = [head, "", "| network | bytes | validation | test |", "|---|---|---|---|"]
    for r in results:
        accuracies = f"{r['validation_accuracy']:.2%} | {r['test_accuracy']:.2%}"
        lines.append(f"| {r['name']} | {r['file_bytes']:,} | {accuracies} |")
    return "\n".join(lines)


def plot_results(results: Sequence[Result], path: Path) -> None:
    """Write a PNG of test accuracy over file size; the fully trained network is a dashed line."""
    figure = Figure(figsize=(7.2, 4.8), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    for kind, colour in COLOURS.items():
        curve = [r for r in results if r["name"].startswith(kind)]
        axes.plot(
            [r["file_bytes"] for r in curve], [100 * r["test_accuracy"] for r in curve],
            "o-", color=colour, label=LABELS[kind] if curve else None,
        )  # fmt: skip
    for full in (r for r in results if r["name"] == "full"):
        label = f"all weights, float32: {full['file_bytes'] / 1000:,.0f} kB"
        axes.axhline(100 * full["test_accuracy"], color="#333333", dashes=(4, 3), label=label)
    sizes = [r["file_bytes"] for r in results if r["name"] != "full"]
    axes.set_xscale("log")
    axes.set_xlim(min(sizes) / 2, max(sizes) * 2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter("")
    axes.set_xlabel("file size (bytes)")
    axes.set_ylabel("test accuracy (%)")
    axes.set_title(f"{results[0]['network']} on {results[0]['dataset']}", loc="left")
    axes.grid(color="#e6e6e6", which="both", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    with write_atomically(path) as file:
        figure.savefig(file, format="png")
