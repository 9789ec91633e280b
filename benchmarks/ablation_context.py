"""Measure the possible gain of PRANC coefficients for the context model's biases, net of bits.

python benchmarks/ablation_context.py PHOTOS [--iterations 25]

The photographs are held out of a prior's training, at two quantization steps. The biases of all
layers, or of the last layers, are fitted around the shipped ones, in rounded sixteenths, and the
ideal code length of their symbols is added to the rate. Nothing else is changed. The format has no
such coefficients; this shows what they would gain.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.func import functional_call

from pranc_codec.grid import prior as priors
from pranc_codec.grid.context import UNIT, ContextModel
from pranc_codec.grid.opponent import opponent_of
from pranc_codec.pranc.rate_model import rate_bits, round_straight_through
from pranc_codec.precision import bfloat16_products
from pranc_codec.training.context import bpp_of
from pranc_codec.training.photographs import load_photographs
from pranc_codec.training.symbols import Batch, batch_of

LEARNING_RATE: Final = 0.04
LOG2_Q_STEPS: Final = (-3.0, -4.0)
LMBDA_STEPS2: Final = 0.1


class Rate(nn.Module):
    """A module that computes the bpp of a batch, so that `functional_call` can replace biases."""

    def __init__(self, model: ContextModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        return bpp_of(self.model, batch).sum()


def bits_with(rate: Rate, batch: Batch, changes: Mapping[str, Tensor]) -> Tensor:
    """Return the bits of the bands with changed biases."""
    own = dict(rate.named_parameters())
    changed = {name: own[name] + change for name, change in changes.items()}
    with bfloat16_products(batch.opponent.device):
        bpp: Tensor = functional_call(rate, changed, (batch,))
    return bpp * batch.pixels


def fit(rate: Rate, batch: Batch, names: list[str], iterations: int) -> tuple[float, float, int]:
    """Fit biases; return bits of the bands, bits of the biases, and how many are not zero."""
    own = dict(rate.named_parameters())
    values = [torch.zeros_like(own[name]).requires_grad_() for name in names]
    optimizer = torch.optim.Adam(values, betas=(0.9, 0.99))

    def with_values() -> tuple[Tensor, Tensor, Tensor]:
        symbols = [round_straight_through(v / UNIT) for v in values]
        changes = {name: s * UNIT for name, s in zip(names, symbols, strict=True)}
        flat = torch.cat(symbols)
        return bits_with(rate, batch, changes), rate_bits(flat), flat

    for iteration in range(iterations):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * iteration / iterations)) / 2
        bits, own_bits, _ = with_values()
        optimizer.zero_grad()
        (bits + own_bits).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        bits, own_bits, symbols = with_values()
    return float(bits), float(own_bits), int(symbols.count_nonzero())


def batch_at(image: Tensor, log2_q_step: float, chooser: ContextModel) -> Batch:
    """Return a whole photograph with the symbols that the encoder would decide."""
    rgb = image.permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        return batch_of(
            opponent_of(rgb), torch.tensor([log2_q_step]), torch.tensor([LMBDA_STEPS2]), chooser
        )


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photographs.")],
    iterations: Annotated[int, typer.Option(min=1, help="Iterations of each fit.")] = 25,
    count: Annotated[int, typer.Option(min=1, help="Number of photographs.")] = 3,
    side: Annotated[int, typer.Option(help="Longest side in pixels.")] = 1024,
    threads: Annotated[int, typer.Option(min=1, help="Number of CPU threads.")] = 1,
) -> None:
    """Print a table of the gains."""
    torch.set_num_threads(threads)
    rate = Rate(priors.plain().float_context()).requires_grad_(False)
    biases = [name for name, _ in rate.named_parameters() if name.endswith("bias")]
    choices: dict[str, list[str]] = {"last": [n for n in biases if ".last." in n], "all": biases}
    held_out = load_photographs(photos, side, held_out=True)
    table = Table("photograph", "bpp", "biases", "bits", "coefficients' bytes", "net", "not zero")
    for number, image in track(list(enumerate(held_out[: 4 * count : 4])), description="fitting"):
        for log2_q_step in LOG2_Q_STEPS:
            batch = batch_at(image, log2_q_step, rate.model)
            with torch.no_grad():
                before = float(bits_with(rate, batch, {}))
            row: list[Any] = [f"{4 * number}", f"{before / batch.pixels:.3f}"]
            for choice, names in choices.items():
                bits, own_bits, changed = fit(rate, batch, names, iterations)
                table.add_row(
                    *row, choice, f"{bits / before - 1:+.2%}", f"{own_bits / 8:.0f}",
                    f"{(bits + own_bits) / before - 1:+.2%}", str(changed),
                )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
