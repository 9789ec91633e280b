"""Measure the gains of fitting and of the PRANC coefficients in the grid profile, net of bytes.

python benchmarks/ablation_biases.py [IMAGE ...] [--effort 4] [--side 512]

The images are three photographs of scikit-image, or those that are given, at three qualities. Loss
is MSE + lmbda * bpp of the real file, with the encoder's lambda at that quantization step. Gains
are relative to the file without fitting at the same step.
"""

from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from skimage import data as skimage_data

from pranc_codec.encoder.grid import candidates, encode as grid_encode
from pranc_codec.encoder.grid.candidates import FIT_LMBDA_STEPS2
from pranc_codec.encoder.grid.coded import EncodedCandidate
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.image import load_picture

QUALITIES = (15, 35, 55)
IMAGES = ("astronaut", "coffee", "chelsea")


def source_of(picture: Image.Image, side: int, effort: int) -> candidates.GridCandidates:
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return candidates.GridCandidates(
        request=EncodeRequest(picture=load_picture(picture), effort=effort)
    )


def gain_percent(coded: EncodedCandidate, plain: EncodedCandidate) -> str:
    return f"{100 * (1 - coded.loss(FIT_LMBDA_STEPS2) / plain.loss(FIT_LMBDA_STEPS2)):.2f}"


def pictures_of(paths: list[Path] | None) -> dict[str, Image.Image]:
    """Return the pictures by name: those of the paths, or scikit-image's."""
    if paths:
        return {path.stem: Image.open(path).convert("RGB") for path in paths}
    return {name: Image.fromarray(getattr(skimage_data, name)()) for name in IMAGES}


def main(
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="Images. Default: three of scikit-image.", exists=True, dir_okay=False),
    ] = None,
    effort: Annotated[int, typer.Option(help="1 to 7.")] = 4,
    side: Annotated[int, typer.Option(help="Longest side of the images.")] = 512,
    output: Annotated[Path | None, typer.Option(help="Also write the table here.")] = None,
) -> None:
    """Print a table of the gains with and without the enhancement network's coefficients."""
    table = Table(
        "image", "quality", "bpp", "PSNR dB", "fit: loss -%", "with coefficients: loss -%",
        "their bytes", "their dB",
    )  # fmt: skip
    for name, picture in track(pictures_of(images).items(), description="fitting"):
        source = source_of(picture, side, effort)
        for quality in QUALITIES:
            q_step_code = grid_encode.q_step_code_of_quality(quality)
            plain = source.plain(q_step_code).encoded
            beside, alone = source.with_latents(q_step_code)
            with_coefficients, without = source.with_biases(beside).encoded, alone.encoded
            table.add_row(
                name, str(quality), f"{plain.bpp:.3f}", f"{plain.psnr_db:.2f}",
                gain_percent(without, plain), gain_percent(with_coefficients, plain),
                str(len(with_coefficients.file) - len(without.file)),
                f"{with_coefficients.psnr_db - without.psnr_db:.3f}",
            )  # fmt: skip
    Console().print(table)
    if output:
        with output.open("w") as file:
            Console(file=file, width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
