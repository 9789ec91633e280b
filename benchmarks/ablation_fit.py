"""Measure the gain and the time of latent fits with different schedules.

python benchmarks/ablation_fit.py PHOTOS --schedule 8x16@0.02 --schedule 12x12@0.02

A schedule is EVALUATIONSxITERATIONS@RATE: number of network evaluations, number of iterations per
evaluation, and learning rate of the latents. The photographs are held out of the prior's training,
at three rates. Loss is MSE + lmbda * bpp of the real file; gains are relative to the file without a
fit. Seconds are CPU seconds of one thread.
"""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import torch
import typer
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pranc_codec.encoder.grid.candidates import FIT_LMBDA_STEPS2, GridCandidates
from pranc_codec.encoder.grid.encode import q_step_code_of_lmbda
from pranc_codec.encoder.grid.fit_latents import LatentFitSettings
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.image import load_picture
from pranc_codec.training.photographs import load_photographs

LMBDAS: Final = (0.0118, 0.0019, 0.0003)


def settings_of(schedule: str) -> LatentFitSettings:
    """Parse EVALUATIONSxITERATIONS@RATE."""
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)@(\d*\.?\d+)", schedule)
    if found is None:
        raise typer.BadParameter(
            f"{schedule!r} is not EVALUATIONSxITERATIONS@RATE, such as 8x16@0.02"
        )
    evaluations, iterations, rate = found.groups()
    return LatentFitSettings(
        evaluations=int(evaluations),
        iterations_per_evaluation=int(iterations),
        learning_rate=float(rate),
    )


def gain_of(
    source: GridCandidates, q_step_code: int, settings: LatentFitSettings
) -> tuple[float, float]:
    """Return the fraction of the loss that a fit saves, and its CPU seconds."""
    plain = source.plain(q_step_code).encoded.loss(FIT_LMBDA_STEPS2)
    start = time.process_time()
    fitted, _ = source.with_latents(q_step_code, settings)
    seconds = time.process_time() - start
    return 1 - fitted.encoded.loss(FIT_LMBDA_STEPS2) / plain, seconds


def sources_of(photos: Path, count: int, side: int) -> Sequence[GridCandidates]:
    """Load photographs to fit."""
    images = load_photographs(photos, side, held_out=True)[: 4 * count : 4]
    jobs = (
        EncodeRequest(picture=load_picture(Image.fromarray(image.numpy())), effort=4)
        for image in images
    )
    return [GridCandidates(request) for request in jobs]


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photographs.")],
    schedule: Annotated[list[str], typer.Option(help="EVALUATIONSxITERATIONS@RATE; repeatable.")],
    count: Annotated[int, typer.Option(min=1, help="Number of photographs.")] = 3,
    side: Annotated[int, typer.Option(help="Longest side in pixels.")] = 512,
) -> None:
    """Print a table of the gains."""
    torch.set_num_threads(1)
    settings = [settings_of(one) for one in schedule]
    sources = sources_of(photos, count, side)
    table = Table("schedule", *(f"lmbda {lmbda}" for lmbda in LMBDAS), "mean", "seconds of a fit")
    for name, one in zip(track(schedule, description="fitting"), settings, strict=True):
        found = np.array([
            [gain_of(source, q_step_code_of_lmbda(lmbda), one) for lmbda in LMBDAS]
            for source in sources
        ])  # fmt: skip
        gains = 100 * found[:, :, 0]
        table.add_row(
            name, *(f"-{gain:.2f} %" for gain in gains.mean(0)), f"-{gains.mean():.2f} %",
            f"{found[:, :, 1].mean():.1f}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
