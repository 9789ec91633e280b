"""The command `pranc report`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from pranc_codec import PrancError
from pranc_codec.commands.batch import progress_bar


def report(
    results: Annotated[
        list[Path],
        typer.Argument(help="Files of results (JSON), or folders of them.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = Path(
        "report"
    ),
    title: Annotated[
        str, typer.Option(help="Title of the plot and the page.")
    ] = "Rate and distortion",
    anchor: Annotated[
        str | None, typer.Option(help="Name of the curve to compare with. Default: the first.")
    ] = None,
    low: Annotated[
        float | None, typer.Option(help="Lower end of the PSNR interval of BD-rates, in dB.")
    ] = None,
    high: Annotated[
        float | None, typer.Option(help="Upper end of the PSNR interval of BD-rates, in dB.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of the images. With it, the page shows crops at equal bytes.",
        ),
    ] = None,
    crop: Annotated[
        list[str] | None, typer.Option(help="Image to show a crop of, such as kodim03; repeatable.")
    ] = None,
    crop_bpp: Annotated[float, typer.Option(help="Rate of the crops, in bits per pixel.")] = 0.3,
) -> None:
    """Compare results: BD-rates (Markdown, CSV), a plot (PNG), and an interactive page (HTML).

    Results are files written by `pranc evaluate`, or other files in CompressAI's schema:

        pranc report runs/webp.json runs/avif.json datasets/kodak/baselines/vtm.json

        pranc report datasets/kodak/results --anchor jpeg-444 --low 28 --high 39 --images images

    A BD-rate depends on the interval of PSNR that it is taken over, so each states its own.
    """
    if (low is None) != (high is None):
        raise typer.BadParameter("--low and --high go together")
    try:
        from pranc_codec.evaluate.report.compare import write_comparison
    except ImportError as error:
        raise PrancError(f"{error}: reports need pip install 'pranc-codec[eval]'") from error

    with progress_bar() as bar:
        table = write_comparison(
            results, output, title=title, anchor=anchor, images=images, crops=crop or [],
            psnr_range_db=None if low is None or high is None else (low, high),
            crop_bpp=crop_bpp, progress=bar,
        )  # fmt: skip
    console = Console()
    console.print(escape(table), highlight=False, soft_wrap=True)
    console.print(escape(f"plot, tables and report.html: {output}"), soft_wrap=True)
