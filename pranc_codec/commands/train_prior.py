"""`pranc train-prior`"""

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from pranc_codec.commands.options import Device
from pranc_codec.device import device_of

ROUNDED_PART: Final = 10
"""The context model is trained for one part in so many more, rounded."""
ROUNDED_SEEDS: Final = 1 << 20
"""Above the seeds of rounds, so that no two trainings draw the same windows."""


def train_prior(
    folder: Annotated[Path, typer.Argument(help="Photographs to train on.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of checkpoints, logs and prior.")
    ],
    steps: Annotated[
        int,
        typer.Option(
            min=1, help="Of each of the two networks; a tenth more of the first, rounded."
        ),
    ] = 15000,
    crops: Annotated[int, typer.Option(min=1, help="Windows of a step.")] = 4,
    threads: Annotated[
        int, typer.Option(help="Processor threads; beside a GPU all draw windows.")
    ] = 1,
    device: Device = None,
    from_prior: Annotated[
        bool, typer.Option(help="Start from the shipped prior of such symbols.")
    ] = False,
    fitted: Annotated[
        int,
        typer.Option(
            min=0, help="Fit that many windows first, on the processor, and train on their symbols."
        ),
    ] = 0,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-6,
            help="At the start, but for the rounded steps. By default 0.0005 to 0.002, by network "
            "and start.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Another one, and another folder, for another round.")
    ] = 0,
) -> None:
    """Train a prior of the grid profile: first the context model, at the end rounded to integers,
    then the residual network.

    Takes hours; logs its validation to OUTPUT/*.log, and goes on where it was interrupted.

    The encoder may have two: one for transform coefficients as they are, trained without
    `--fitted`, and one for latents that were fitted (effort 3 and above), which goes on from it or
    from its own last round with `--from-prior --fitted`.

    Examples:

    - `pranc train-prior photographs/ -o runs/prior --steps 20000`
    - `pranc train-prior photographs/ -o runs/prior --crops 16`, on a GPU
    - `pranc train-prior photographs/ -o runs/fitted --from-prior --fitted 1000 --steps 500`
    """
    from pranc_codec.training import (
        context as context_training,
        enhancement as enhancement_training,
        fitted_windows,
        pack_prior,
    )

    if fitted and not from_prior:
        raise typer.BadParameter("fitted windows are too few to begin with: add --from-prior")
    output.mkdir(parents=True, exist_ok=True)
    context, rounded, synthesis = (
        output / f"{name}.pt" for name in ("context", "rounded", "synthesis")
    )
    options: dict[str, Any] = dict(
        steps=steps,
        crops=crops,
        threads=threads,
        device=str(device_of(device)),
        from_prior=from_prior,
        learning_rate=learning_rate,
        seed=seed,
    )
    if fitted:
        windows = output / "fitted"
        for count, held_out in ((fitted, False), (max(8, fitted // 20), True)):
            fitted_windows.main(
                folder, windows, count=count, held_out=held_out, threads=threads, seed=seed
            )
        options |= dict(fitted=windows)
    context_training.main(folder, context, **options)
    in_integers = options | dict(
        steps=-(-steps // ROUNDED_PART), seed=seed + ROUNDED_SEEDS, learning_rate=None
    )
    context_training.main(folder, rounded, **in_integers, rounded_from=context)
    enhancement_training.main(folder, rounded, synthesis, **options)
    pack_prior.main(rounded, synthesis, output / "grid.safetensors")
    Console().print(f"prior: {output / 'grid.safetensors'}")
