"""Train the context model of the grid profile.

This is density estimation on symbols that the encoder would decide, or on fitted symbols. A second,
shorter training rounds weights and activations as in the integer form.
"""

from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pranc_codec.files import sha256_of
from pranc_codec.grid import mixture, prior as priors
from pranc_codec.grid.context import ContextModel
from pranc_codec.precision import bfloat16_products
from pranc_codec.training.examples import examples_of
from pranc_codec.training.loop import Schedule, TrainingTask, averaged_weights, train
from pranc_codec.training.options import TrainingOptions
from pranc_codec.training.symbols import Batch, Examples, validation_means

FLAT_BELOW_BPP: Final = 0.1
FLATNESS: Final = 0.6
ROUNDED_RATE: Final = 3e-4
ROUNDED_AVERAGE: Final = 0.95
"""Decay of the averaged weights in a rounded training. The average is over few iterations, because
the mean of many would be rounded to weights that no iteration was trained with."""


def bpp_of(model: nn.Module, batch: Batch) -> Float[Tensor, " n"]:
    """Return the ideal code length of all bands in bpp for each image, without approximation."""
    assert isinstance(model, ContextModel)
    with bfloat16_products(batch.opponent.device):
        outputs = model.outputs(batch.symbols, batch.log2_q_step)
    levels = zip(batch.symbols.bands, outputs, strict=True)
    bits = [mixture.bits(bands, o).flatten(1).sum(1) for bands, o in levels]
    return torch.stack(bits).sum(0) / batch.pixels


def loss_of(model: ContextModel, batch: Batch) -> Float[Tensor, ""]:
    """Return the mean bpp, weighted so that images of low rate count more than their bits."""
    bpp = bpp_of(model, batch)
    return (bpp / (bpp.detach() + FLAT_BELOW_BPP) ** FLATNESS).mean()


def validation_rates(model: nn.Module, examples: Examples) -> str:
    """Return the bpp of each validation group as a line for the log."""
    rates = validation_means(examples, model, bpp_of)
    return f"validation bpp {' '.join(f'{rate:.4f}' for rate in rates)}"


def train_context(
    options: TrainingOptions, output: Path, *, rounded_from: Path | None = None
) -> None:
    """Train the context model; `output` is the checkpoint, from which it also resumes.

    It starts from random weights, from the shipped prior with `options.from_prior`, or from the
    averaged weights of the checkpoint `rounded_from`. In the last case weights and activations are
    rounded as in the integer form.
    """
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    shipped = priors.fitted() if options.fitted else priors.plain()
    model = (shipped.float_context() if options.from_prior else ContextModel()).to(options.device)
    if rounded_from:
        model.load_state_dict(averaged_weights(rounded_from))
    model.set_rounded(bool(rounded_from))
    examples = examples_of(options, model)
    start: dict[str, Any] = dict(prior=shipped.number if options.from_prior else None)
    if rounded_from:
        start = dict(rounded_from=sha256_of(rounded_from))
    task = TrainingTask(
        draw=examples.draw,
        loss_of=lambda drawn: loss_of(model, examples.batch(drawn)),
        validate=partial(validation_rates, examples=examples),
    )
    schedule = _schedule_of(options, rounded=bool(rounded_from))
    train(model, task, schedule, output, examples.data() | start)


def _schedule_of(options: TrainingOptions, *, rounded: bool) -> Schedule:
    """Return the schedule of a training. If it is rounded, it averages only the last iterations."""
    count, seed = options.iterations, options.seed
    if rounded:
        return Schedule(
            iterations=count, seed=seed, learning_rate=options.learning_rate or ROUNDED_RATE,
            average=ROUNDED_AVERAGE, warmup=min(Schedule.warmup, max(1, count // 4)),
        )  # fmt: skip
    rate = 5e-4 if options.fitted else 1e-3 if options.from_prior else 2e-3
    return Schedule(iterations=count, seed=seed, learning_rate=options.learning_rate or rate)
