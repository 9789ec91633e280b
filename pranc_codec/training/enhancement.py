"""Train the residual network of the grid profile on symbols that were chosen, or fitted.

python -m pranc_codec.training.enhancement PHOTOS context.pt synthesis.pt
"""

import math
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pranc_codec.files import sha256_of
from pranc_codec.grid import prior as priors, wavelet
from pranc_codec.grid.context import ContextModel
from pranc_codec.grid.enhancement import SynthesisNetwork, corrected
from pranc_codec.precision import bfloat16_products
from pranc_codec.training.fitted_windows import FittedWindows
from pranc_codec.training.loop import Schedule, Task, averaged_weights, train
from pranc_codec.training.symbols import Batch, ChosenSymbols, Examples, validation_means


def log_errors(network: nn.Module, batch: Batch) -> Float[Tensor, " n"]:
    """Natural logarithm of MSE after over MSE before the correction, image by image."""
    step = torch.exp2(batch.log2_step)
    pyramid = batch.symbols.map(lambda t: t * step.view(-1, *[1] * (t.dim() - 1)))
    height, width = batch.opponent.shape[2:]
    linear = wavelet.synthesize(pyramid, height, width)
    bands = batch.symbols.bands
    parents = bands[-2] if len(bands) > 1 else None
    with bfloat16_products(batch.opponent.device):
        out = corrected(network, linear, bands[-1], parents, step)
    before = (linear - batch.opponent).square().flatten(1).mean(1)
    after = (out - batch.opponent).square().flatten(1).mean(1)
    return torch.log(after / before)


def validation_gains(network: nn.Module, examples: Examples) -> str:
    """Gain in dB of each group of the validation, for the log."""
    errors = validation_means(examples, network, log_errors)
    gains_db = (-10 / math.log(10) * error for error in errors)
    return f"validation gain dB {' '.join(f'{gain:.4f}' for gain in gains_db)}"


def main(
    photos: Path,
    context: Path,
    output: Path,
    steps: int = 18000,
    crops: int = 4,
    side: int = 256,
    threads: int = 1,
    device: str = "cpu",
    from_prior: bool = False,
    fitted: Path | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
) -> None:
    """Train, or go on from the checkpoint `output`, if there is one, else from the shipped prior
    of such symbols with `from_prior`; `crops`: windows a step; symbols are chosen by the `context`
    model in integers, or those of a folder of `fitted` windows."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    examples: Examples
    if fitted is None:
        chooser = ContextModel().to(device)
        chooser.load_state_dict(averaged_weights(context))
        chooser.set_rounded(True)
        examples = ChosenSymbols.load(photos, chooser, crops=crops, side=side)
        data = examples.data() | dict(context=sha256_of(context))
    else:
        examples = FittedWindows.load(fitted, crops=crops)
        data = examples.data()
    network = SynthesisNetwork().to(device)
    shipped = priors.fitted() if fitted else priors.plain()
    if from_prior:
        network.load_state_dict(shipped.synthesis())
    task = Task(
        draw=examples.draw,
        loss_of=lambda drawn: log_errors(network, examples.batch(drawn)).mean(),
        validate=partial(validation_gains, examples=examples),
    )
    rate = learning_rate or (5e-4 if fitted else 1e-3)
    schedule = Schedule(steps=steps, seed=seed, learning_rate=rate)
    data |= dict(prior=shipped.number if from_prior else None)
    train(network, task, schedule, output, data)


if __name__ == "__main__":
    import typer

    typer.run(main)
