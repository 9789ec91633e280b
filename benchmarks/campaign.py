"""A long training of one network of the grid prior, in pieces: constant rate, averaged weights.

python benchmarks/campaign.py context PHOTOS VALIDATION runs/campaign [--start WEIGHTS.safetensors]

It starts from the shipped prior, or from weights that an earlier run exported, with a short
warm-up. The learning rate stays constant, because it has to fall to zero only once: in the last
piece, which is given `--iterations`. Photographs of a second folder validate. A quarter of the
windows gets grain, and another quarter is sharpened or softened.

The output folder holds a checkpoint, from which the same command resumes, a log, and the averaged
weights in half precision, which are written after each validation that is the best so far.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import torch
import typer
from jaxtyping import Float
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from pranc_codec.files import sha256_of, write_atomically
from pranc_codec.grid import prior as priors
from pranc_codec.grid.context import ContextModel
from pranc_codec.training.context import bpp_of, loss_of
from pranc_codec.training.enhancement import log_errors
from pranc_codec.training.loop import Schedule, TrainingTask, train
from pranc_codec.training.photographs import load_photographs
from pranc_codec.training.symbols import ChosenSymbols, validation_means

FOREVER: Final = 10_000_000
"""Iterations of the cosine, of which a campaign sees only the beginning."""
GRAIN: Final = 3 / 255
COLOUR_GRAIN: Final = 0.3
"""Of grain that differs between the colours, relative to that which they share."""
SOFTEST, SHARPEST = -0.3, 0.6


class Network(StrEnum):
    """A network of the prior."""

    context = "context"
    enhancement = "enhancement"


def augmented(
    rgb: Float[Tensor, "n 3 h w"], generator: torch.Generator
) -> Float[Tensor, "n 3 h w"]:
    """Windows of which a quarter has grain, and a quarter is sharpened or softened; rounded to 8
    bits, as photographs are."""
    out = []
    for window in rgb:
        kind = int(torch.randint(4, (), generator=generator))
        strength = float(torch.rand((), generator=generator))
        if kind == 0:
            shared = torch.randn(1, *window.shape[1:], generator=generator)
            own = torch.randn(window.shape, generator=generator)
            window = window + strength * GRAIN * (shared + COLOUR_GRAIN * own)
        elif kind == 1:
            padded = functional.pad(window[None], (1, 1, 1, 1), mode="replicate")
            detail = window - functional.avg_pool2d(padded, 3, 1)[0]
            window = window + (SOFTEST + (SHARPEST - SOFTEST) * strength) * detail
        out.append((window * 255).round().clamp(0, 255) / 255)
    return torch.stack(out)


@dataclass(frozen=True, kw_only=True)
class AugmentedSymbols(ChosenSymbols):
    """Windows of photographs with grain or another sharpness."""

    def windows(self, generator: torch.Generator) -> Float[Tensor, "n 3 h w"]:
        return augmented(super().windows(generator), generator)


def all_photographs(folder: Path) -> list[Tensor]:
    """Those that a training would hold out, too."""
    return [
        image for held_out in (False, True)
        for image in load_photographs(folder, 1024, held_out=held_out)
    ]  # fmt: skip


def network_of(which: Network) -> nn.Module:
    """The network as it ships."""
    if which is Network.context:
        return priors.plain().float_context()
    return priors.plain().enhancement().requires_grad_()


def export(network: nn.Module, path: Path) -> None:
    """Weights in half precision."""
    weights = {name: p.half().contiguous() for name, p in network.state_dict().items()}
    with write_atomically(path) as file:
        file.write(save(weights))


class Best:
    """Validates a network, and exports its weights whenever it is the best so far.

    Rates are compared by the mean of their logarithms, corrections by that of their errors.
    """

    def __init__(self, examples: AugmentedSymbols, which: Network, path: Path) -> None:
        self._examples, self._which, self._path = examples, which, path
        self._least: float | None = None

    def validate(self, network: nn.Module) -> str:
        """A line for the log: bpp, or gains in dB, at the steps of the validation."""
        if self._which is Network.context:
            means = validation_means(self._examples, network, bpp_of)
            value, line = sum(map(math.log, means)), [f"{bpp:.4f}" for bpp in means]
        else:
            means = validation_means(self._examples, network, log_errors)
            value, line = sum(means), [f"{-10 / math.log(10) * error:.4f}" for error in means]
        if self._least is not None and value < self._least:
            export(network, self._path)
        self._least = value if self._least is None else min(value, self._least)
        return f"validation {'bpp' if self._which is Network.context else 'dB'} {' '.join(line)}"


def main(
    network: Annotated[Network, typer.Argument(help="Which network to train.")],
    photos: Annotated[Path, typer.Argument(help="Folder of photographs.")],
    validation: Annotated[Path, typer.Argument(help="Folder of photographs to validate.")],
    output: Annotated[Path, typer.Argument(help="Folder of checkpoint, log and weights.")],
    start: Annotated[Path | None, typer.Option(help="Exported weights to start from.")] = None,
    learning_rate: Annotated[float, typer.Option(min=1e-6)] = 1e-3,
    crops: Annotated[int, typer.Option(min=1, help="Windows of an iteration.")] = 8,
    side: Annotated[int, typer.Option(min=32, help="Of a window in pixels.")] = 256,
    validate_every: Annotated[int, typer.Option(min=1, help="Iterations.")] = 1000,
    iterations: Annotated[
        int, typer.Option(min=1, help="The rate falls to zero over these.")
    ] = FOREVER,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
    seed: Annotated[int, typer.Option(help="Another one for each piece.")] = 0,
) -> None:
    """Train until it is stopped."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    trained = network_of(network)
    chooser = trained if network is Network.context else network_of(Network.context)
    assert isinstance(chooser, ContextModel)
    if start is not None:
        trained.load_state_dict({name: p.float() for name, p in load_file(start).items()})
    examples = AugmentedSymbols(
        images=all_photographs(photos), held_out=all_photographs(validation), chooser=chooser,
        crops=crops, side=side,
    )  # fmt: skip
    best = Best(examples, network, output / f"{network}.safetensors")
    task = TrainingTask(
        draw=examples.draw,
        loss_of=lambda drawn: (
            loss_of(chooser, examples.batch(drawn))
            if network is Network.context
            else log_errors(trained, examples.batch(drawn)).mean()
        ),
        validate=best.validate,
    )
    schedule = Schedule(
        iterations=iterations, seed=seed, learning_rate=learning_rate, average=0.9993, warmup=300,
        validate_every=validate_every,
    )  # fmt: skip
    data = examples.data() | dict(prior=priors.plain().number, start=start and sha256_of(start))
    output.mkdir(parents=True, exist_ok=True)
    if not (checkpoint := output / f"{network}.pt").exists():
        with torch.no_grad(), checkpoint.with_suffix(".log").open("a") as log:
            log.write(f"start {best.validate(trained)}\n")
    train(trained, task, schedule, checkpoint, data)


if __name__ == "__main__":
    typer.run(main)
