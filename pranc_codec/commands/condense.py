"""The command `pranc condense`."""

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
        Path, typer.Argument(help="Your copy of it, a file or a folder.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for checkpoints, files and results.")
    ],
    coefficients: Annotated[
        list[int] | None,
        typer.Option("--coefficients", "-k", min=1, help="Number of coefficients; repeatable."),
    ] = None,
    basis: Annotated[
        list[str] | None, typer.Option(help="dct (default), hash or dense; repeatable.")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs of each training. Default: 5 on MNIST, 10 on CIFAR-10."),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-6,
            max=10,
            help="Peak learning rate of coefficients. Default: 0.4 on MNIST, 0.12 on CIFAR-10.",
        ),
    ] = None,
    shift: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=16,
            help="Largest random shift of training images, in pixels. Default: 0 on MNIST; on "
            "CIFAR-10 4 in trainings of 30 epochs or more, else 2 for weights and 0 for "
            "coefficients.",
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="File (.prw) whose coefficients the training starts from.",
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="File (full.safetensors) of a trained network whose outputs are learned, too.",
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option(help="Also train all weights; pruning does so in any case.")
    ] = True,
    pruning: Annotated[
        bool, typer.Option(help="Prune to the sizes of the files of the first basis.")
    ] = True,
    prune_to: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Prune to this many bytes, even without --coefficients; repeatable."
        ),
    ] = None,
    tune_epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Epochs of pruning. Default: a third of --epochs; without --epochs 5 on MNIST and "
            "10 on CIFAR-10.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Number of CPU threads.")] = 1,
    device: Device = None,
) -> None:
    """Condense a classifier: train coefficients and write their file.

    It is compared, by accuracy and bytes, with the fully trained network and with a network that is
    pruned by magnitude to the same bytes.

    This trains LeNet on MNIST (up to a minute per epoch) or ResNet-20 on CIFAR-10 (minutes per
    epoch). The same command resumes an interrupted run. Data: mnist.npz or torchvision's MNIST/raw;
    torchvision's cifar-10-batches-py, or train|test/CLASS/*.jpg in a folder or a .tar.gz file.

    Example: `pranc condense mnist mnist.npz -o runs/lenet -k 1000 -k 3000`
    """
    try:
        from pranc_codec.condense.command import run_condense
    except ImportError as error:
        raise PrancError(f"{error}: the plot needs pip install 'pranc-codec[eval]'") from error
    from pranc_codec.condense.options import CondenseOptions

    options = CondenseOptions(
        kind=dataset,
        data=data,
        output=output,
        coefficients=coefficients or (),
        bases=basis or ("dct",),
        epochs=epochs,
        learning_rate=learning_rate,
        shift=shift,
        start=start,
        teacher=teacher,
        full=full,
        pruning=pruning,
        prune_to=prune_to or (),
        tune_epochs=tune_epochs,
        threads=threads,
        device=device_of(device),
    )
    Console().print(run_condense(options))
