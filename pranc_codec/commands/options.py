"""Arguments and options that several subcommands share."""

from pathlib import Path
from typing import Annotated

import typer

Inputs = Annotated[list[Path], typer.Argument(help="One file or several.", show_default=False)]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o",
        help="File or folder to write to; a new folder must have no suffix. "
        "Default: beside each input, with another suffix.",
    ),
]  # fmt: skip
Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite outputs that exist.")]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda, cuda:1 and so on. Default: a GPU if there is one.")
]
