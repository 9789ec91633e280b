"""The command `pranc encode`."""

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
    quality: Annotated[
        float | None,
        typer.Option(help="1 (small file) to 100 (close to the original). Default: 50."),
    ] = None,
    bpp: Annotated[
        float | None,
        typer.Option(help="Aim at this many bits per pixel, counting all bytes of the file."),
    ] = None,
    psnr: Annotated[
        float | None, typer.Option(help="Aim at this PSNR of the decoded image in dB.")
    ] = None,
    lmbda: Annotated[
        float | None, typer.Option(help="Minimize MSE + LMBDA * bpp, with samples in [0, 1].")
    ] = None,
    effort: Annotated[
        str,
        typer.Option(
            help="0 to 7, or fast (2), default (4), max (7). More effort makes smaller files. At "
            "0, a grid file is not fitted to the image and takes about a second; at 7, it takes "
            "minutes. From 3 on, each takes two to three times as long as the one before."
        ),
    ] = "default",
    profile: Annotated[
        str,
        typer.Option(
            help="grid: wavelet latents and a small network, for quality; "
            "mlp: one coordinate network, for very small files and any resolution."
        ),
    ] = "grid",
    seed: Annotated[int, typer.Option(help="Seed of the pseudo-random basis, 0 to 2**32 - 1.")] = 0,
    device: Device = None,
    no_metadata: Annotated[
        bool, typer.Option("--no-metadata", help="Leave out ICC profile, EXIF and XMP.")
    ] = False,
    force: Force = False,
) -> None:
    """Encode images of any format that Pillow reads to .pranc files.

    Choose the rate with one of --quality, --bpp, --psnr and --lmbda, and how long to search for a
    smaller file with --effort.

    Examples:

    - `pranc encode photo.png --bpp 0.1`
    - `pranc encode photo.png -o small.pranc --psnr 26 --effort max`
    - `pranc encode *.png -o encoded/ --quality 40`
    """
    options: dict[str, Any] = dict(
        quality=quality, bpp=bpp, psnr=psnr, lmbda=lmbda, profile=profile, seed=seed, device=device
    )
    options["effort"] = effort
    with suppress(ValueError):  # the effort may be a name
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
