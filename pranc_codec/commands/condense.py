"""`pranc condense`"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pranc_codec import PrancError
from pranc_codec.commands.options import Device
from pranc_codec.device import device_of


def condense(
    dataset: Annotated[str, typer.Argument(help="mnist or cifar10.", show_default=False)],
    data: Annotated[
        Path, typer.Argument(help="Your copy of it: file or folder.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of checkpoints, files and results.")
    ],
    coefficients: Annotated[
        list[int] | None, typer.Option("--coefficients", "-k", min=1, help="How many; repeatable.")
    ] = None,
    basis: Annotated[
        list[str] | None, typer.Option(help="dct (default), hash, dense; repeatable.")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Of each training; default: 5 of MNIST, 10 of CIFAR-10."),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-6, max=10, help="Largest, of coefficients; default: 0.4 (MNIST), 0.12."
        ),
    ] = None,
    shift: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=16,
            help="Pixels that images are moved by in training; default: none on MNIST, 4 on "
            "CIFAR-10 from 30 epochs on (below: 2, and none for coefficients).",
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="File (.prw) whose coefficients are trained on."
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="File (full.safetensors) of a trained network, whose outputs coefficients learn.",
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option(help="Train all weights as well; pruning does so in any case.")
    ] = True,
    pruning: Annotated[
        bool, typer.Option(help="Prune to the sizes of the first basis's files.")
    ] = True,
    prune_to: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Prune to so many bytes; repeatable, needs no coefficients."),
    ] = None,
    tune_epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of pruning; default: a third of --epochs, without it as many as of a training.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
    device: Device = None,
) -> None:
    """Condense a classifier: train coefficients, write their file, compare it by accuracy and bytes
    with the fully trained network and with magnitude pruning at equal bytes.

    LeNet on MNIST (a minute an epoch or less), ResNet-20 on CIFAR-10 (minutes an epoch). Goes on
    where it was interrupted. The data: mnist.npz or torchvision's MNIST/raw;
    torchvision's cifar-10-batches-py or train|test/CLASS/*.jpg, as folder or .tar.gz.

    Example: `pranc condense mnist mnist.npz -o runs/lenet -k 1000 -k 3000`
    """
    try:
        from pranc_codec.condense.command import run_condense
    except ImportError as error:
        raise PrancError(f"{error}: the plot needs pip install 'pranc-codec[eval]'") from error

    Console().print(
        run_condense(
            dataset,
            data,
            output,
            coefficients=coefficients or [],
            bases=basis or ["dct"],
            epochs=epochs,
            learning_rate=learning_rate,
            shift=shift,
            start=start,
            teacher=teacher,
            full=full,
            pruning=pruning,
            prune_to=prune_to or [],
            tune_epochs=tune_epochs,
            threads=threads,
            device=device_of(device),
        )
    )
