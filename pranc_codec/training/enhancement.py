"""Train the enhancement network of the grid profile on decided or fitted symbols."""

import math
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pranc_codec.files import sha256_of
from pranc_codec.grid import prior as priors, wavelet
from pranc_codec.grid.context import ContextModel
from pranc_codec.grid.enhancement import EnhancementNetwork, enhanced
from pranc_codec.precision import bfloat16_products
from pranc_codec.training.examples import examples_of
from pranc_codec.training.loop import Schedule, TrainingTask, averaged_weights, train
from pranc_codec.training.options import TrainingOptions
from pranc_codec.training.symbols import Batch, Examples, validation_means, wide


def log_errors(network: nn.Module, batch: Batch) -> Float[Tensor, " n"]:
    """Return log(MSE after the correction / MSE before it) for each image."""
    q_step = torch.exp2(batch.log2_q_step)
    pyramid = batch.symbols.map(lambda t: t * wide(q_step, t))
    height, width = batch.opponent.shape[2:]
    linear = wavelet.synthesize(pyramid, height, width)
    bands = batch.symbols.bands
    parents = bands[-2] if len(bands) > 1 else None
    with bfloat16_products(batch.opponent.device):
        out = enhanced(network, linear, bands[-1], parents, q_step)
    before = (linear - batch.opponent).square().flatten(1).mean(1)
    after = (out - batch.opponent).square().flatten(1).mean(1)
    return torch.log(after / before)


def validation_gains(network: nn.Module, examples: Examples) -> str:
    """Return the gain in dB of each validation group as a line for the log."""
    errors = validation_means(examples, network, log_errors)
    gains_db = (-10 / math.log(10) * error for error in errors)
    return f"validation gain dB {' '.join(f'{gain:.4f}' for gain in gains_db)}"


def train_enhancement(options: TrainingOptions, context: Path, output: Path) -> None:
    """Train the enhancement network; `output` is the checkpoint, from which it also resumes.

    context: checkpoint of the rounded context model that decides the symbols. The training starts
    from random weights, or from the shipped prior with `options.from_prior`.
    """
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    chooser = ContextModel().to(options.device)
    chooser.load_state_dict(averaged_weights(context))
    chooser.set_rounded(True)
    examples = examples_of(options, chooser)
    network = EnhancementNetwork().to(options.device)
    shipped = priors.fitted() if options.fitted else priors.plain()
    if options.from_prior:
        network.load_state_dict(shipped.enhancement().state_dict())
    data = examples.data() | dict(prior=shipped.number if options.from_prior else None)
    if options.fitted is None:
        data |= dict(context=sha256_of(context))
    task = TrainingTask(
        draw=examples.draw,
        loss_of=lambda drawn: log_errors(network, examples.batch(drawn)).mean(),
        validate=partial(validation_gains, examples=examples),
    )
    rate = options.learning_rate or (5e-4 if options.fitted else 1e-3)
    schedule = Schedule(iterations=options.iterations, seed=options.seed, learning_rate=rate)
    train(network, task, schedule, output, data)
