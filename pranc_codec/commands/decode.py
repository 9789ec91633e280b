"""The command `pranc decode`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

import pranc_codec
from pranc_codec.commands.batch import process_all
from pranc_codec.commands.options import Device, Force, Inputs, Output


def decode(
    inputs: Inputs,
    output: Output = None,
    size: Annotated[
        str | None,
        typer.Option(
            help="WIDTHxHEIGHT in pixels of the rendered image. Default: its own size. "
            "An mlp file has detail at any size; a grid file is resampled."
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            help="Show only the window LEFT,TOP,RIGHT,BOTTOM, in pixels of the rendered image."
        ),
    ] = None,
    reduce: Annotated[
        int,
        typer.Option(help="Halve width and height N times: 1 is half the size, 2 a quarter."),
    ] = 0,
    levels: Annotated[
        int | None,
        typer.Option(
            help="Use only the N coarsest wavelet levels of a grid file, for a softer picture."
        ),
    ] = None,
    suffix: Annotated[
        str, typer.Option(help="Suffix (and format) of outputs that --output does not name.")
    ] = ".png",
    device: Device = None,
    force: Force = False,
) -> None:
    """Decode .pranc files to images of any format that Pillow writes.

    The suffix of the output decides the format; without --output it is PNG. With --reduce or
    --levels, the first part of a grid file is enough, so a download may stop early.

    Examples:

    - `pranc decode photo.pranc -o decoded.png`
    - `pranc decode photo.pranc -o large.png --size 3072x2048`
    - `pranc decode photo.pranc -o thumbnail.jpg --reduce 3`
    - `pranc decode *.pranc -o decoded/ --region 0,0,256,256`
    """
    box = _numbers(region, ",", 4, "--region LEFT,TOP,RIGHT,BOTTOM")
    shape = _numbers(size, "x", 2, "--size WIDTHxHEIGHT")

    def work(source: Path, bar: Callable[..., None]) -> Any:
        image = pranc_codec.decode(
            source.read_bytes(), device=device, size=shape, region=box, levels=levels, reduce=reduce
        )
        bar(completed=100, total=100)
        return image

    process_all(inputs, output, suffix, force, work)


def _numbers(text: str | None, separator: str, count: int, usage: str) -> Any:
    if text is None:
        return None
    parts = text.lower().split(separator)
    if len(parts) != count or not all(part.strip().isdigit() for part in parts):
        raise typer.BadParameter(f"{text!r} is not of the form {usage}")
    return tuple(int(part) for part in parts)
