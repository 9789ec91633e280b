"""The `pranc` command."""

import sys
from typing import Annotated, Final

import typer

from pranc_codec import PrancError, __version__
from pranc_codec.commands.batch import complain
from pranc_codec.commands.condense import condense
from pranc_codec.commands.decode import decode
from pranc_codec.commands.demo import demo
from pranc_codec.commands.encode import encode
from pranc_codec.commands.evaluate import evaluate
from pranc_codec.commands.info import info
from pranc_codec.commands.report import report
from pranc_codec.commands.train_prior import train_prior

HELP: Final = """Image codec in which a network is fitted to each image and the network is the file.

Start with:

- `pranc encode photo.png` writes photo.pranc
- `pranc decode photo.pranc` writes photo.png
- `pranc info photo.pranc` shows what is in the file

`pranc COMMAND --help` explains a command, with examples.

Exit codes: 0 done, 1 an input could not be processed, 2 wrong usage, 130 interrupted."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"pranc_codec {__version__}")
        raise typer.Exit
    return wanted


@app.callback(help=HELP)
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Handle the options that precede a subcommand."""


for command in (encode, decode, info, evaluate, report, condense, train_prior, demo):
    app.command()(command)


def main() -> None:
    """Run the command. Errors of the package become one line and exit code 1."""
    try:
        app(prog_name="pranc")
    except (PrancError, OSError) as error:
        complain(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
