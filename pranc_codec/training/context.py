"""Train the context model of the grid profile: density estimation on symbols that were chosen, or
fitted. At the end with weights and activations as the integer form rounds them.

python -m pranc_codec.training.context PHOTOS context.pt --steps 18000
python -m pranc_codec.training.context PHOTOS rounded.pt --steps 900 --rounded-from context.pt
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
from pranc_codec.training.fitted_windows import FittedWindows
from pranc_codec.training.loop import Schedule, Task, averaged_weights, train
from pranc_codec.training.symbols import Batch, ChosenSymbols, Examples, validation_means

FLAT_BELOW_BPP: Final = 0.1
FLATNESS: Final = 0.6
ROUNDED_RATE: Final = 3e-4
ROUNDED_AVERAGE: Final = 0.95
"""A short one: the mean is rounded again, and that of many steps to what none was trained with."""


def bpp_of(model: nn.Module, batch: Batch) -> Float[Tensor, " n"]:
    """Ideal code length of all bands, image by image (the low band is not counted)."""
    assert isinstance(model, ContextModel)
    with bfloat16_products(batch.opponent.device):
        outputs = model.outputs(batch.symbols, batch.log2_step)
    levels = zip(batch.symbols.bands, outputs, strict=True)
    bits = [mixture.bits(bands, o).flatten(1).sum(1) for bands, o in levels]
    return torch.stack(bits).sum(0) / batch.pixels


def loss_of(model: ContextModel, batch: Batch) -> Float[Tensor, ""]:
    """Mean bpp; low rates count more than their bits."""
    bpp = bpp_of(model, batch)
    return (bpp / (bpp.detach() + FLAT_BELOW_BPP) ** FLATNESS).mean()


def validation_rates(model: nn.Module, examples: Examples) -> str:
    """bpp of each group of the validation, for the log."""
    rates = validation_means(examples, model, bpp_of)
    return f"validation bpp {' '.join(f'{rate:.4f}' for rate in rates)}"


def main(
    photos: Path,
    output: Path,
    steps: int = 18000,
    crops: int = 4,
    side: int = 256,
    threads: int = 1,
    device: str = "cpu",
    rounded_from: Path | None = None,
    from_prior: bool = False,
    fitted: Path | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
) -> None:
    """Train, or go on from the checkpoint `output`, if there is one, else from the shipped prior
    of such symbols with `from_prior`, or from the averaged weights of another checkpoint with
    `rounded_from` (which goes first), rounded as in the integer form; `crops`: windows a step;
    `fitted`: on a folder of fitted windows in place of photographs."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    shipped = priors.fitted() if fitted else priors.plain()
    model = (shipped.float_context() if from_prior else ContextModel()).to(device)
    if rounded_from:
        model.load_state_dict(averaged_weights(rounded_from))
    model.set_rounded(bool(rounded_from))
    examples: Examples
    if fitted is None:
        examples = ChosenSymbols.load(photos, model, crops=crops, side=side)
    else:
        examples = FittedWindows.load(fitted, crops=crops)
    if rounded_from:
        schedule = Schedule(
            steps=steps, seed=seed, learning_rate=learning_rate or ROUNDED_RATE,
            average=ROUNDED_AVERAGE, warmup=min(Schedule.warmup, max(1, steps // 4)),
        )  # fmt: skip
        start: dict[str, Any] = dict(rounded_from=sha256_of(rounded_from))
    else:
        rate = 5e-4 if fitted else 1e-3 if from_prior else 2e-3
        schedule = Schedule(steps=steps, seed=seed, learning_rate=learning_rate or rate)
        start = dict(prior=shipped.number if from_prior else None)
    task = Task(
        draw=examples.draw,
        loss_of=lambda drawn: loss_of(model, examples.batch(drawn)),
        validate=partial(validation_rates, examples=examples),
    )
    train(model, task, schedule, output, examples.data() | start)


if __name__ == "__main__":
    import typer

    typer.run(main)
