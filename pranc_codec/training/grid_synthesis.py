"""Train the residual network of the grid profile on chosen symbols.

python -m pranc_codec.training.grid_synthesis PHOTOS context.pt synthesis.pt
"""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from pranc_codec import wavelet
from pranc_codec.context import ContextModel
from pranc_codec.files import sha256_of
from pranc_codec.precision import bfloat16_products
from pranc_codec.priors import grid as priors
from pranc_codec.synthesis import SynthesisNetwork, corrected
from pranc_codec.training.grid_symbols import (
    Batch,
    data_of,
    training_batch,
    validation_means,
)
from pranc_codec.training.loop import Schedule, train
from pranc_codec.training.photographs import load_photographs


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


def validation_gains(
    network: nn.Module, images: Sequence[UInt8[Tensor, "_ _ 3"]], chooser: ContextModel
) -> str:
    """Gain in dB at each validation step, for the log."""
    errors = validation_means(images, chooser, partial(log_errors, network))
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
    from_prior: bool = False,
    seed: int = 0,
) -> None:
    """Train, or go on from the checkpoint `output`, if there is one, else from the shipped prior
    with `from_prior`; symbols are chosen by the `context` model."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    images = load_photographs(photos, 1024)
    held_out = load_photographs(photos, 1024, held_out=True)
    chooser = ContextModel()
    chooser.load_state_dict(torch.load(context, weights_only=True)["average"])
    network = SynthesisNetwork()
    if from_prior:
        network.load_state_dict(priors.newest().synthesis())

    def loss(generator: torch.Generator) -> Tensor:
        batch = training_batch(images, chooser, generator, crops=crops, side=side)
        return log_errors(network, batch).mean()

    train(
        network,
        loss,
        lambda n: validation_gains(n, held_out, chooser),
        Schedule(steps=steps, seed=seed, learning_rate=1e-3),
        output,
        data_of(images, crops=crops, side=side, from_prior=from_prior)
        | dict(context=sha256_of(context)),
    )


if __name__ == "__main__":
    import typer

    typer.run(main)
