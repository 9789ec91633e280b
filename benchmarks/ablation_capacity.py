"""What each part of the context model is worth: variants trained for the same steps from nothing.

python benchmarks/ablation_capacity.py PHOTOS runs/capacity [--steps 600]

Each variant changes one thing and learns the density of the same symbols, which the shipped prior
chooses. bpp: of held-out photographs at four quantization steps. A short training favours small
networks; what a long one gives is in the model card. Goes on where it was interrupted.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import torch
import typer
from jaxtyping import Float
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from pranc_codec.context import (
    HIDDEN,
    ColourContext,
    ContextModel,
    given_channels,
)
from pranc_codec.priors import grid as priors
from pranc_codec.training.grid_context import bpp_of, loss_of
from pranc_codec.training.grid_symbols import training_batch, validation_means
from pranc_codec.training.loop import Schedule, train
from pranc_codec.training.photographs import load_photographs

LARGE_LOGIT: Final = 20.0
CELL_PIXELS: Final = 16
"""Of a cell of the finest level."""
ALL_LEVELS: Final = 4 / 3
"""Cells of all levels over those of the finest."""


class WithoutThird(ColourContext):
    """One 1x1 layer less: the third layer hands on what it gets."""

    def __init__(self, given: int, hidden: int) -> None:
        super().__init__(given, hidden)
        nn.init.dirac_(self.third.weight, groups=4)
        nn.init.zeros_(self.third.bias)  # type: ignore[arg-type]
        self.third.requires_grad_(False)


class SmallWindow(ColourContext):
    """A window of 3x3 cells instead of 5x5: the second layer sees its middle only."""

    def weights(self) -> dict[str, Tensor]:
        out = super().weights()
        middle = torch.zeros(3, 3)
        middle[1, 1] = 1
        return out | {"second": out["second"] * middle}


class WithoutSlopes(ColourContext):
    """Nothing of the low band that the decoded levels give."""

    def forward(
        self, given: Float[Tensor, "n given h w"], own: Float[Tensor, "n 24 h w"]
    ) -> Float[Tensor, "n steps 3 outputs h w"]:
        slopes = given.shape[1] - 32
        return super().forward(torch.cat([given[:, :slopes], 0 * given[:, slopes:]], 1), own)


class OneShape(ColourContext):
    """One distribution instead of the mixture."""

    logit = LARGE_LOGIT

    def forward(
        self, given: Float[Tensor, "n given h w"], own: Float[Tensor, "n 24 h w"]
    ) -> Float[Tensor, "n steps 3 outputs h w"]:
        out = super().forward(given, own)
        shape = torch.full_like(out[:, :, :, 2:], self.logit)
        return torch.cat([out[:, :, :, :2], shape], 3)


class Logistic(OneShape):
    logit = -LARGE_LOGIT


def model_of(
    kind: Callable[[int, int], ColourContext] = ColourContext,
    hidden: tuple[int, ...] = HIDDEN,
) -> ContextModel:
    torch.manual_seed(0)
    model = ContextModel(hidden=hidden)
    for networks in model.networks:
        assert isinstance(networks, nn.ModuleList)
        for colour, channels in enumerate(hidden):
            networks[colour] = kind(given_channels(3, colour), channels)
    return model


VARIANTS: Final[dict[str, Callable[[], ContextModel]]] = {
    "as shipped": model_of,
    "half the width": lambda: model_of(hidden=(32, 16, 16)),
    "half as wide again": lambda: model_of(hidden=(96, 48, 48)),
    "without the third layer": lambda: model_of(WithoutThird),
    "window of 3x3 cells": lambda: model_of(SmallWindow),
    "without the decoded low band": lambda: model_of(WithoutSlopes),
    "Laplace only": lambda: model_of(OneShape),
    "logistic only": lambda: model_of(Logistic),
}


def kmacs_per_pixel(model: ContextModel) -> float:
    """Thousands of multiplications a pixel, weights held at zero included."""
    networks = model.networks[0]
    weights = sum(p.numel() for p in networks.parameters() if p.dim() == 4)
    return weights / CELL_PIXELS * ALL_LEVELS / 1000


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photographs.")],
    output: Annotated[Path, typer.Argument(help="Folder of checkpoints and results.")],
    steps: Annotated[int, typer.Option(min=1, help="Of each training.")] = 600,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
) -> None:
    """Train all variants; a table of their rates and costs."""
    torch.set_num_threads(threads)
    output.mkdir(parents=True, exist_ok=True)
    images = load_photographs(photos, 1024)
    held_out = load_photographs(photos, 1024, held_out=True)
    chooser = priors.newest().float_context().requires_grad_(False)
    table = Table("context model", "kMAC a pixel", "bpp at 2**-2, -3, -4, -5")
    for name, build in track(VARIANTS.items(), description="training"):
        stem = output / f"{name.replace(' ', '-')}-{steps}"
        model, result = build(), stem.with_suffix(".json")
        if not result.exists():
            train(
                model,
                lambda g, m=model: loss_of(
                    m, training_batch(images, chooser, g, crops=4, side=256)
                ),  # type: ignore[misc]
                lambda _: "",
                Schedule(steps=steps, validate_every=steps),
                stem.with_suffix(".pt"),
                dict(variant=name, photographs=len(images)),
            )
            with torch.no_grad():
                rates = validation_means(held_out, chooser, partial(bpp_of, model))
            result.write_text(
                json.dumps(dict(name=name, steps=steps, bpp=[round(rate, 4) for rate in rates]))
                + "\n"
            )
        found = json.loads(result.read_text())
        table.add_row(
            name, f"{kmacs_per_pixel(model):.0f}", " ".join(f"{rate:.4f}" for rate in found["bpp"])
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
