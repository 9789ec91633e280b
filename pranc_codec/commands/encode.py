"""`pranc encode`"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

import pranc_codec
from pranc_codec import Metadata
from pranc_codec.commands.batch import process_all
from pranc_codec.commands.options import Device, Force, Inputs, Output


def encode(
    inputs: Inputs,
    output: Output = None,
    quality: Annotated[float | None, typer.Option(help="1 to 100; default 50.")] = None,
    bpp: Annotated[float | None, typer.Option(help="Bits per pixel of the whole file.")] = None,
    psnr: Annotated[float | None, typer.Option(help="PSNR in dB to reach.")] = None,
    lmbda: Annotated[float | None, typer.Option(help="Price of a bit: MSE per bpp.")] = None,
    effort: Annotated[
        str,
        typer.Option(
            help="0 (grid: no fit, a second or so) to 7 (max: minutes), fast (2) or default (4); "
            "from 3 on each takes two to three times as long as the one before."
        ),
    ] = "default",
    profile: Annotated[
        str, typer.Option(help="grid: latents and a network; mlp: a coordinate network only.")
    ] = "grid",
    seed: Annotated[int, typer.Option(help="Seed of the basis.")] = 0,
    device: Device = None,
    no_metadata: Annotated[
        bool, typer.Option("--no-metadata", help="Drop ICC profile, EXIF and XMP.")
    ] = False,
    force: Force = False,
) -> None:
    """Encode images to .pranc files.

    Examples:

    - `pranc encode photo.png --bpp 0.1`
    - `pranc encode photo.png -o small.pranc --psnr 26 --effort max`
    - `pranc encode *.png -o encoded/ --quality 40`
    """
    options: dict[str, Any] = dict(
        quality=quality, bpp=bpp, psnr=psnr, lmbda=lmbda, profile=profile, seed=seed, device=device
    )
    options["effort"] = effort
    with suppress(ValueError):  # a name
        options["effort"] = int(effort)
    options["metadata"] = Metadata() if no_metadata else None

    def work(source: Path, bar: Callable[..., None]) -> bytes:
        return pranc_codec.encode(source, progress=_show(bar, source.name), **options)

    process_all(inputs, output, ".pranc", force, work)


def _show(bar: Callable[..., None], name: str) -> Callable[[pranc_codec.Progress], None]:
    def show(p: pranc_codec.Progress) -> None:
        text = f"{escape(name)}  {p.bpp_estimate:.3f} bpp  {p.psnr_db_estimate:.2f} dB"
        bar(completed=p.iteration, total=p.iterations, description=text)

    return show
