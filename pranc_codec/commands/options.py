"""Arguments that several subcommands share."""

from pathlib import Path
from typing import Annotated

import typer

Inputs = Annotated[list[Path], typer.Argument(help="Files to process.", show_default=False)]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o",
        help="Output file; or a folder, if it exists or has no suffix. Default: beside each input.",
    ),
]  # fmt: skip
Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite existing outputs.")]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda, cuda:1 ... Default: a GPU where there is one.")
]
