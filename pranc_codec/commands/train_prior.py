"""The command `pranc train-prior`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from pranc_codec.commands.options import Device
from pranc_codec.device import device_of

if TYPE_CHECKING:
    from pranc_codec.training.options import TrainingOptions

ROUNDED_PART: Final = 10
"""The rounded training has the number of iterations divided by this."""
ROUNDED_SEEDS: Final = 1 << 20
"""This is added to the seed of the rounded training, so that it draws other windows."""


def train_prior(
    folder: Annotated[Path, typer.Argument(help="Photographs to train on.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for checkpoints, logs and the prior.")
    ],
    iterations: Annotated[
        int,
        typer.Option(
            "--iterations",
            "--steps",
            min=1,
            help="Iterations of each of the two networks. The first gets a tenth more, rounded.",
        ),
    ] = 15000,
    crops: Annotated[int, typer.Option(min=1, help="Number of windows per iteration.")] = 4,
    threads: Annotated[
        int, typer.Option(help="Number of CPU threads; with a GPU, all threads draw windows.")
    ] = 1,
    device: Device = None,
    from_prior: Annotated[bool, typer.Option(help="Start from the shipped prior.")] = False,
    fitted: Annotated[
        int,
        typer.Option(
            min=0,
            help="Fit this many windows first, on the CPU, and train on their symbols.",
        ),
    ] = 0,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-6,
            help="Peak learning rate; the rounded training has its own. Default: 0.0005 to "
            "0.002, depending on the network and its initial weights.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(help="Random seed. Use another one, and another folder, to train further."),
    ] = 0,
) -> None:
    """Train a prior of the grid profile: the context model, rounded to integers at the end, and
    then the enhancement network.

    This takes hours. Validation is logged to OUTPUT/*.log. The same command resumes an interrupted
    training.

    The encoder may use two priors: one for transform coefficients without a fit, which is trained
    without `--fitted`, and one for fitted latents (effort 3 and above), whose training continues
    from the first prior with `--from-prior --fitted`.

    Examples:

    - `pranc train-prior photographs/ -o runs/prior --iterations 20000`
    - `pranc train-prior photographs/ -o runs/prior --crops 16`, on a GPU
    - `pranc train-prior photographs/ -o runs/fitted --from-prior --fitted 1000 --iterations 500`
    """
    from pranc_codec.training.context import train_context
    from pranc_codec.training.enhancement import train_enhancement
    from pranc_codec.training.options import TrainingOptions
    from pranc_codec.training.pack_prior import pack_prior

    if fitted and not from_prior:
        raise typer.BadParameter("fitted windows are too few to begin with: add --from-prior")
    output.mkdir(parents=True, exist_ok=True)
    context, rounded, enhancement = (
        output / f"{name}.pt" for name in ("context", "rounded", "enhancement")
    )
    options = TrainingOptions(
        photos=folder,
        iterations=iterations,
        crops=crops,
        threads=threads,
        device=str(device_of(device)),
        from_prior=from_prior,
        learning_rate=learning_rate,
        seed=seed,
    )
    if fitted:
        options = _with_fitted_windows(options, output / "fitted", fitted)
    train_context(options, context)
    in_integers = replace(
        options,
        iterations=-(-iterations // ROUNDED_PART),
        seed=seed + ROUNDED_SEEDS,
        learning_rate=None,
    )
    train_context(in_integers, rounded, rounded_from=context)
    train_enhancement(options, rounded, enhancement)
    pack_prior(rounded, enhancement, output / "grid.safetensors")
    Console().print(f"prior: {output / 'grid.safetensors'}")


def _with_fitted_windows(
    options: "TrainingOptions", windows: Path, count: int
) -> "TrainingOptions":
    """Fit windows to train on, and some to validate; return options to train on them."""
    from pranc_codec.training.fitted_windows import fit_windows

    for number, held_out in ((count, False), (max(8, count // 20), True)):
        fit_windows(
            options.photos, windows, count=number, held_out=held_out, threads=options.threads,
            seed=options.seed,
        )  # fmt: skip
    return replace(options, fitted=windows)
