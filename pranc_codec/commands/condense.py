"""`pranc condense`"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pranc_codec import PrancError
from pranc_codec.batch import progress_bar


def condense(
    data: Annotated[
        Path,
        typer.Argument(help="MNIST: an .npz file or torchvision's folder.", show_default=False),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of checkpoints, results and plot.")
    ],
    coefficients: Annotated[
        list[int] | None, typer.Option(help="k with the hash basis; repeatable.")
    ] = None,
    dense: Annotated[
        list[int] | None, typer.Option(help="k with the dense basis; repeatable.")
    ] = None,
    epochs: Annotated[float, typer.Option(help="Of every training.")] = 4,
    validation: Annotated[int, typer.Option(help="Training images set aside for choices.")] = 5000,
    seed: Annotated[int, typer.Option(help="Of initialization and bases.")] = 0,
) -> None:
    """Condense LeNet on MNIST: accuracy over bytes, PRANC against full training and pruning.

    Writes one JSON per case and a plot. Learning rates and quantization steps are chosen on a
    validation split, the test set is looked at once. A run that was interrupted goes on.

    Example: `pranc condense mnist.npz -o runs/lenet --coefficients 1000 --dense 250 --epochs 4`
    """
    try:
        from pranc_codec.condense.data import load_mnist
        from pranc_codec.condense.experiment import Plan, run
        from pranc_codec.condense.plot import plot
    except ImportError as error:
        raise PrancError(f"{error}: condense needs pip install 'pranc-codec[eval]'") from error

    plan = Plan(
        coefficients=coefficients or Plan.coefficients, dense=dense or Plan.dense, epochs=epochs,
        seed=seed,
    )  # fmt: skip
    with progress_bar() as bar:
        results = run(load_mnist(data, validation=validation), output, plan, bar)
    plot(results, output / "accuracy.png")
    table = Table("case", "bytes", "test accuracy %", "validation %")
    for r in results:
        shares = (f"{100 * share:.2f}" for share in (r.test_accuracy, r.validation_accuracy))
        table.add_row(r.case, str(r.size_bytes), *shares)
    Console().print(table)
