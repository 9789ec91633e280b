"""Measure the value of each part of the context model by training variants that differ in one part.

python benchmarks/ablation_capacity.py PHOTOS runs/capacity [--steps 100] [--fresh]

Every variant is trained on the same symbols for the same number of iterations. The table shows the
bpp of held-out photographs at four quantization steps. A variant starts from the weights of the
shipped prior, without one part of it or with more channels. With more iterations, the rest of a
variant would recover and more channels would gain, so the table overestimates the value of a part
and underestimates that of channels. With `--fresh`, all variants start from random weights, on
equal terms; but small networks learn faster, so short trainings favour them. An interrupted run
resumes.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final

import torch
import typer
from jaxtyping import Float
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from pranc_codec.files import write_atomically
from pranc_codec.grid import prior as priors
from pranc_codec.grid.architecture import ARCHITECTURE_1
from pranc_codec.grid.context import ColourContext, ContextModel
from pranc_codec.grid.context_layout import ContextLayout
from pranc_codec.resume import check_settings
from pranc_codec.training.context import bpp_of, loss_of
from pranc_codec.training.loop import Schedule, TrainingTask, train
from pranc_codec.training.symbols import ChosenSymbols, validation_means

AS_SHIPPED: Final = "as shipped"
CROPS: Final = 2
SIDE: Final = 256
LARGEST_RATE: Final = 5e-4
"""Learning rate from the shipped weights; it is low, because these are already trained."""
FRESH_RATE: Final = 2e-3
"""Learning rate from random weights."""
LARGE_LOGIT: Final = 20.0
CELL_PIXELS: Final = 16
"""Number of pixels of a cell of the finest level."""
HIDDEN: Final = ARCHITECTURE_1.context_hidden
"""Hidden channels of the shipped model, by colour."""
HIDDEN_LAYERS: Final = ("first", "second", "third", "last")
"""Layers in order. The hidden channels of each but the last are the inputs of the next one."""
ALL_LEVELS: Final = 4 / 3
"""Number of cells of all levels, relative to that of the finest level."""


class WithoutThird(ColourContext):
    """Networks without the third layer, which passes its input on."""

    def __init__(self, layout: ContextLayout, hidden: int) -> None:
        super().__init__(layout, hidden)
        nn.init.zeros_(self.third.bias)  # type: ignore[arg-type]
        self.third.requires_grad_(False)

    def weights(self) -> dict[str, Tensor]:
        out = super().weights()
        return out | {"third": nn.init.dirac_(torch.empty_like(out["third"]), groups=4)}


class SmallWindow(ColourContext):
    """Networks that see 3x3 cells instead of 5x5: the second layer uses only the middle cell."""

    def weights(self) -> dict[str, Tensor]:
        out = super().weights()
        middle = torch.zeros(3, 3)
        middle[1, 1] = 1
        return out | {"second": out["second"] * middle}


class WithoutGradients(ColourContext):
    """Networks without the gradients of the approximation that the decoded levels give."""

    def forward(
        self, maps: Float[Tensor, "n inputs h w"]
    ) -> Float[Tensor, "n phases 3 outputs h w"]:
        without = maps.clone()
        without[:, self.layout.span("gradients")] = 0
        return super().forward(without)


class OneShape(ColourContext):
    """Networks with a Laplace distribution instead of the mixture."""

    logit = LARGE_LOGIT

    def forward(
        self, maps: Float[Tensor, "n inputs h w"]
    ) -> Float[Tensor, "n phases 3 outputs h w"]:
        out = super().forward(maps)
        shape = torch.full_like(out[:, :, :, 2:], self.logit)
        return torch.cat([out[:, :, :, :2], shape], 3)


class Logistic(OneShape):
    logit = -LARGE_LOGIT


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A context model whose networks are of another kind or width."""

    kind: Callable[[ContextLayout, int], ColourContext] = ColourContext
    hidden: tuple[int, ...] = HIDDEN

    def model(self, fresh: bool) -> ContextModel:
        """Make the model, with the shipped model's weights or with random ones (fresh)."""
        torch.manual_seed(0)
        model = priors.plain().float_context()
        for networks in model.networks:
            assert isinstance(networks, nn.ModuleList)
            for colour, channels in enumerate(self.hidden):
                network = self.kind(ContextLayout(colours=3, colour=colour), channels)
                if not fresh:
                    take_over(network, networks[colour], channels - HIDDEN[colour])
                networks[colour] = network
        return model


@torch.no_grad()
def take_over(network: nn.Module, shipped: nn.Module, more: int) -> None:
    """Give a network the weights of the shipped one.

    more: how many hidden channels per phase the network has beyond the shipped one; if it is
    negative, the weakest channels are left out.
    """
    own, weights = by_step(network), by_step(shipped)
    for layer, following in pairwise(HIDDEN_LAYERS):
        if more > 0:
            widen(weights, own, layer, following, more)
        if more < 0:
            narrow(weights, layer, following, -more)
    network.load_state_dict({name: t.flatten(0, 1) for name, t in weights.items()})
    if isinstance(network, WithoutThird):
        nn.init.zeros_(network.third.bias)  # type: ignore[arg-type]


def by_step(network: nn.Module) -> dict[str, Tensor]:
    """Return a network's tensors, split by phase: (4, outputs, ...)."""
    return {name: t.clone().unflatten(0, (4, -1)) for name, t in network.state_dict().items()}


def widen(
    weights: dict[str, Tensor], fresh: dict[str, Tensor], layer: str, following: str, more: int
) -> None:
    """Add untrained channels, which the next layer does not use before training."""
    for name in (f"{layer}.weight", f"{layer}.bias"):
        weights[name] = torch.cat([weights[name], fresh[name][:, -more:]], 1)
    after = weights[f"{following}.weight"]
    weights[f"{following}.weight"] = torch.cat([after, torch.zeros_like(after[:, :, :more])], 2)


def narrow(weights: dict[str, Tensor], layer: str, following: str, fewer: int) -> None:
    """Leave out the channels with the smallest product of weight norms before and after them."""
    before, after = weights[f"{layer}.weight"], weights[f"{following}.weight"]
    strength = before.flatten(2).norm(dim=2) * after.transpose(1, 2).flatten(2).norm(dim=2)
    kept = strength.topk(strength.shape[1] - fewer, dim=1).indices
    for name in (f"{layer}.weight", f"{layer}.bias"):
        weights[name] = torch.stack([t[k] for t, k in zip(weights[name], kept, strict=True)])
    weights[f"{following}.weight"] = torch.stack(
        [t[:, k] for t, k in zip(after, kept, strict=True)]
    )


VARIANTS: Final = {
    AS_SHIPPED: Variant(),
    "half the width": Variant(hidden=(32, 16, 16)),
    "half as wide again": Variant(hidden=(96, 48, 48)),
    "without the third layer": Variant(kind=WithoutThird),
    "window of 3x3 cells": Variant(kind=SmallWindow),
    "without the decoded approximation": Variant(kind=WithoutGradients),
    "Laplace only": Variant(kind=OneShape),
    "logistic only": Variant(kind=Logistic),
}


def kmacs_per_pixel(model: ContextModel) -> float:
    """Return thousands of multiplications per pixel, including those by masked weights."""
    networks = model.networks[0]
    weights = sum(p.numel() for p in networks.parameters() if p.dim() == 4)
    return weights / CELL_PIXELS * ALL_LEVELS / 1000


def result_of(
    name: str, output: Path, steps: int, examples: ChosenSymbols, fresh: bool
) -> dict[str, Any]:
    """Train a variant unless this was done before; return its cost and its validation bpp."""
    stem = output / f"{name.replace(' ', '-')}-{steps}{'-fresh' if fresh else ''}"
    result = stem.with_suffix(".json")
    schedule = Schedule(
        iterations=steps, validate_every=steps, warmup=max(1, steps // 10),
        learning_rate=FRESH_RATE if fresh else LARGEST_RATE,
    )  # fmt: skip
    data = examples.data() | dict(prior=priors.plain().number, variant=name, fresh=fresh)
    settings = asdict(schedule) | data
    if not result.exists():
        model = VARIANTS[name].model(fresh)
        train_variant(model, stem.with_suffix(".pt"), schedule, examples, data)
        with torch.no_grad():
            rates = validation_means(examples, model, bpp_of)
        made = dict(kmacs_per_pixel=kmacs_per_pixel(model), bpp=rates, settings=settings)
        with write_atomically(result) as file:
            file.write((json.dumps(made) + "\n").encode())
    found: dict[str, Any] = json.loads(result.read_text())
    check_settings(result, found["settings"], settings)
    return found


def train_variant(
    model: ContextModel,
    checkpoint: Path,
    schedule: Schedule,
    examples: ChosenSymbols,
    data: dict[str, object],
) -> None:
    """Train a variant on the symbols that the shipped model decides."""
    task = TrainingTask(
        draw=examples.draw,
        loss_of=lambda drawn: loss_of(model, examples.batch(drawn)),
        validate=lambda _: "",
    )
    train(model, task, schedule, checkpoint, data)


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photographs.")],
    output: Annotated[Path, typer.Argument(help="Folder of checkpoints and results.")],
    steps: Annotated[int, typer.Option(min=1, help="Iterations of each training.")] = 100,
    threads: Annotated[int, typer.Option(min=1, help="Number of CPU threads.")] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start from random weights.")] = False,
) -> None:
    """Train all variants, and print a table of their rates and costs."""
    torch.set_num_threads(threads)
    output.mkdir(parents=True, exist_ok=True)
    chooser = priors.plain().float_context().requires_grad_(False)
    examples = ChosenSymbols.load(photos, chooser, crops=CROPS, side=SIDE)
    table = Table("context model", "kMAC a pixel", "bpp at 2**-2, -3, -4, -5", "against as shipped")
    results = {
        name: result_of(name, output, steps, examples, fresh)
        for name in track(VARIANTS, description="training")
    }
    whole = results[AS_SHIPPED]["bpp"]
    for name, found in results.items():
        rates, macs = found["bpp"], f"{found['kmacs_per_pixel']:.0f}"
        more = (f"{100 * (rate / of - 1):+.1f}" for rate, of in zip(rates, whole, strict=True))
        table.add_row(name, macs, " ".join(f"{rate:.4f}" for rate in rates), f"{' '.join(more)} %")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
