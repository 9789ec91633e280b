"""Training data: windows of photographs with the symbols that the encoder would decide."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final, Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from pranc_codec.grid import mixture, wavelet
from pranc_codec.grid.context import ContextModel
from pranc_codec.grid.opponent import opponent_of
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.precision import bfloat16_products
from pranc_codec.training.photographs import load_photographs, random_crops
from pranc_codec.training.step import Tensors, device_of_network, moved

LOG2_Q_STEPS: Final = (-6.5, -1.0)
LMBDA_STEPS2_RANGE: Final = (0.06, 0.16)
FIRST_THRESHOLD: Final = 0.6
VALIDATION_LOG2_Q_STEPS: Final = (-2.0, -3.0, -4.0, -5.0)
VALIDATION_LMBDA_STEPS2: Final = 0.1
VALIDATION_SIDE: Final = 512


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Images in opponent colours around mid-grey, and their symbols."""

    opponent: Float[Tensor, "n 3 h w"]
    symbols: Pyramid
    log2_q_step: Float[Tensor, " n"]

    @property
    def pixels(self) -> int:
        """Number of pixels of one image."""
        return int(self.opponent.shape[2] * self.opponent.shape[3])


def batch_of(
    opponent: Float[Tensor, "n 3 h w"],
    log2_q_step: Float[Tensor, " n"],
    lmbda_steps2: Float[Tensor, " n"],
    chooser: ContextModel,
) -> Batch:
    """Decide the symbols of images."""
    scale = torch.exp2(-log2_q_step)
    y = wavelet.analyze(opponent).map(lambda t: t * wide(scale, t))
    return Batch(
        opponent=opponent,
        symbols=chosen(chooser, y, log2_q_step, lmbda_steps2),
        log2_q_step=log2_q_step,
    )


def middle_part(image: UInt8[Tensor, "_ _ 3"]) -> Float[Tensor, "1 3 h w"]:
    """Return the middle of an image, which validation uses, in opponent colours."""
    top, left = (max(0, side - VALIDATION_SIDE) // 2 for side in image.shape[:2])
    part = image[top : top + VALIDATION_SIDE, left : left + VALIDATION_SIDE]
    return opponent_of(part.permute(2, 0, 1)[None].float() / 255)


@runtime_checkable
class Examples(Protocol):
    """Training data that is drawn on the CPU and turned into batches on the networks' device."""

    def draw(self, generator: torch.Generator) -> Tensors:
        """Draw the data of one training iteration."""

    def validation(self) -> Iterable[Iterable[Tensors]]:
        """Yield single images that are not trained on, in groups of falling quantization step."""

    def batch(self, drawn: Tensors) -> Batch:
        """Turn drawn data into a batch."""

    def data(self) -> dict[str, Any]:
        """Describe the data in plain values, for checkpoints."""


@dataclass(frozen=True, kw_only=True)
class ChosenSymbols:
    """Windows of photographs, whose symbols are decided in each iteration.

    images, held_out: photographs to train on and to validate. chooser: the context model whose
    rates decide the symbols. crops: number of windows per iteration. side: side of a window in
    pixels.
    """

    images: Sequence[UInt8[Tensor, "_ _ 3"]]
    held_out: Sequence[UInt8[Tensor, "_ _ 3"]]
    chooser: ContextModel
    crops: int
    side: int

    @classmethod
    def load(cls, photos: Path, chooser: ContextModel, *, crops: int, side: int) -> "ChosenSymbols":
        """Load a folder of photographs."""
        images, held_out = (load_photographs(photos, 1024, held_out=held) for held in (False, True))
        return cls(images=images, held_out=held_out, chooser=chooser, crops=crops, side=side)

    def draw(self, generator: torch.Generator) -> Tensors:
        """Draw random windows, with a random quantization step and lambda for each."""
        rgb = self.windows(generator)
        log2_q_step, lmbda_steps2 = (
            low + (high - low) * torch.rand(self.crops, generator=generator)
            for low, high in (LOG2_Q_STEPS, LMBDA_STEPS2_RANGE)
        )
        return opponent_of(rgb), log2_q_step, lmbda_steps2

    def windows(self, generator: torch.Generator) -> Float[Tensor, "n 3 side side"]:
        """Random windows in [0, 1]."""
        return random_crops(self.images, self.crops, self.side, generator)

    def validation(self) -> Iterable[Iterable[Tensors]]:
        """Yield the middles of the held-out photographs at each of `VALIDATION_LOG2_Q_STEPS`."""
        lmbda_steps2 = torch.tensor([VALIDATION_LMBDA_STEPS2])
        for log2_q_step in VALIDATION_LOG2_Q_STEPS:
            step = torch.tensor([log2_q_step])
            yield ((middle_part(image), step, lmbda_steps2) for image in self.held_out)

    def batch(self, drawn: Tensors) -> Batch:
        """Decide the symbols of the windows."""
        opponent, log2_q_step, lmbda_steps2 = drawn
        return batch_of(opponent, log2_q_step, lmbda_steps2, self.chooser)

    def data(self) -> dict[str, Any]:
        """Return the size of the data, for checkpoints."""
        pixels = sum(image.shape[0] * image.shape[1] for image in self.images)
        return dict(photographs=len(self.images), pixels=pixels, crops=self.crops, side=self.side)


def validation_means(
    examples: Examples, network: nn.Module, measure: Callable[[nn.Module, Batch], Tensor]
) -> list[float]:
    """Return the mean of a measure over the images of each validation group."""
    device = device_of_network(network)
    return [
        fmean(
            float(measure(network, examples.batch(moved(drawn, device))).detach())
            for drawn in group
        )
        for group in examples.validation()
    ]


@torch.no_grad()
def chosen(
    model: ContextModel,
    y: Pyramid,
    log2_q_step: Float[Tensor, " n"],
    lmbda_steps2: Float[Tensor, " n"],
) -> Pyramid:
    """Return the symbols with the least (y - symbol)^2 + lmbda_steps2 * bits, as in the encoder.

    Unlike in the encoder, the context of a symbol is not the decided symbols but coefficients whose
    magnitudes are rounded up if their fraction is at least `FIRST_THRESHOLD`, else down.
    """
    first = Pyramid(
        approximation=y.approximation.round(),
        bands=tuple((b.abs() + 1 - FIRST_THRESHOLD).floor() * b.sign() for b in y.bands),
    )
    with bfloat16_products(y.approximation.device):
        outputs_of_levels = model.outputs(first, log2_q_step)
    bands = []
    for exact, outputs in zip(y.bands, outputs_of_levels, strict=True):
        nearest = exact.round()
        candidates = torch.stack([nearest, nearest - nearest.sign(), torch.zeros_like(nearest)])
        bits = torch.stack([mixture.bits(c, outputs) for c in candidates])
        loss = (candidates - exact).square() + wide(lmbda_steps2, exact) * bits
        bands.append(candidates.gather(0, loss.argmin(0, keepdim=True))[0])
    return Pyramid(approximation=first.approximation, bands=tuple(bands))


def wide(x: Float[Tensor, " n"], like: Tensor) -> Tensor:
    """Return one number per image in a shape that broadcasts over tensors such as `like`."""
    return x.view(-1, *[1] * (like.dim() - 1))
