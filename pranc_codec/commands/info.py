"""The command `pranc info`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import pranc_codec
from pranc_codec import PrancError
from pranc_codec.commands.batch import complain
from pranc_codec.commands.options import Inputs

COLOURS: Final = ("luminance", "red-blue", "green")


def info(
    inputs: Inputs,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per file, each on its own line.")
    ] = False,
) -> None:
    """Show what is in .pranc files: image, network, and how many bytes each part takes.

    Examples:

    - `pranc info photo.pranc`
    - `pranc info --json *.pranc`
    """
    failed = False
    for source in inputs:
        try:
            analysis = pranc_codec.analyze(source.read_bytes())
        except (PrancError, OSError) as error:
            failed = True
            complain(f"{source}: {error}")
            continue
        if as_json:
            typer.echo(json.dumps({"file": str(source), **_plain(analysis)}))
        else:
            Console().print(_table(source, analysis))
    raise typer.Exit(1 if failed else 0)


def _plain(analysis: pranc_codec.Analysis) -> dict[str, Any]:
    """Return an analysis as a dictionary, with numbers in place of its arrays."""
    out = asdict(analysis)
    for part, level in zip(out["levels"], analysis.levels, strict=True):
        del part["symbol_bits"]
        part["bits"] = level.bits
    for part in (*out["layers"], *out["levels"]):
        part["symbols"] = part["symbols"].size
    return out


def _table(source: Path, analysis: pranc_codec.Analysis) -> Table:
    h = analysis.header
    parts = ", ".join(f"{name} {count}" for name, count in analysis.part_bytes.items())
    title = (
        f"{escape(str(source))}: {h.width}x{h.height} {h.mode} {h.samples}, "
        f"{analysis.file_bytes} bytes ({parts}), {analysis.bpp:.4f} bpp\n"
    )
    description, rows_of = SHOWN[h.profile]
    rows = rows_of(analysis)
    table = Table(title=title + description(h), title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "part" else "right")
    for row in rows:
        table.add_row(*row.values())
    return table


def _mlp_description(h: pranc_codec.Header) -> str:
    p = h.mlp
    network = f"{p.features} features, {p.depth} x {p.width} sine layers"
    return f"profile mlp, basis {p.basis}, seed {h.seed}, {p.k} coefficients, {network}"


def _grid_description(h: pranc_codec.Header) -> str:
    p = h.grid
    return f"profile grid, prior {p.prior:08x}, step {p.q_step:.5f}, {p.k} coefficients"


def _mlp_rows(analysis: pranc_codec.Analysis) -> list[dict[str, str]]:
    return [
        {
            "part": layer.name, "weights": f"{layer.weights}",
            "coefficients": f"{layer.coefficients}", "step": f"{layer.q_step:.4f}",
            "bits": f"{layer.bits:.0f}",
            "bits/coefficient": f"{layer.bits / layer.coefficients:.2f}",
        }
        for layer in analysis.layers
    ]  # fmt: skip


def _grid_rows(analysis: pranc_codec.Analysis) -> list[dict[str, str]]:
    latents = [(f"{p.name}, {COLOURS[p.colour]}", p.symbols, p.bits) for p in analysis.levels]
    networks = [(p.name, p.symbols, p.bits) for p in analysis.layers]
    return [
        {
            "part": name, "symbols": f"{symbols.size}",
            "not zero": f"{(symbols != 0).mean():.1%}", "bits": f"{bits:.0f}",
            "of the file": f"{bits / 8 / analysis.file_bytes:.1%}",
        }
        for name, symbols, bits in [*latents, *networks]
    ]  # fmt: skip


SHOWN: Final = {
    "mlp": (_mlp_description, _mlp_rows),
    "grid": (_grid_description, _grid_rows),
}
"""For each profile, functions that make a line about the header and the rows of the table."""
