"""Symbols as the encoder would choose them, for training: photographs -> integers."""

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
from pranc_codec.grid.decode import MID_GREY
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.precision import bfloat16_products
from pranc_codec.training.photographs import load_photographs, random_crops
from pranc_codec.training.step import Tensors, device_of_network, moved

LOG2_STEPS: Final = (-6.5, -1.0)
PRICES: Final = (0.06, 0.16)
FIRST_THRESHOLD: Final = 0.6
VALIDATION_LOG2_STEPS: Final = (-2.0, -3.0, -4.0, -5.0)
VALIDATION_PRICE: Final = 0.1
VALIDATION_SIDE: Final = 512


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Images, opponent colours around mid-grey, and the symbols chosen for them."""

    opponent: Float[Tensor, "n 3 h w"]
    symbols: Pyramid
    log2_step: Float[Tensor, " n"]

    @property
    def pixels(self) -> int:
        """Of one image."""
        return int(self.opponent.shape[2] * self.opponent.shape[3])


def batch_of(
    opponent: Float[Tensor, "n 3 h w"],
    log2_step: Float[Tensor, " n"],
    price: Float[Tensor, " n"],
    chooser: ContextModel,
) -> Batch:
    """Choose symbols of images."""
    scale = torch.exp2(-log2_step)
    y = wavelet.analyze(opponent).map(lambda t: t * _wide(scale, t))
    return Batch(
        opponent=opponent, symbols=chosen(chooser, y, log2_step, price), log2_step=log2_step
    )


def opponent_of(rgb: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Opponent colours around mid-grey of images in [0, 1]."""
    return wavelet.to_opponent(rgb - MID_GREY)


def middle_part(image: UInt8[Tensor, "_ _ 3"]) -> Float[Tensor, "1 3 h w"]:
    """What is validated of an image, in opponent colours."""
    top, left = (max(0, side - VALIDATION_SIDE) // 2 for side in image.shape[:2])
    part = image[top : top + VALIDATION_SIDE, left : left + VALIDATION_SIDE]
    return opponent_of(part.permute(2, 0, 1)[None].float() / 255)


@runtime_checkable
class Examples(Protocol):
    """What networks are trained on: drawn on the CPU, made ready on the networks' device."""

    def draw(self, generator: torch.Generator) -> Tensors:
        """What a training step uses."""

    def validation(self) -> Iterable[Iterable[Tensors]]:
        """Single images that are not trained on, in groups of falling step."""

    def batch(self, drawn: Tensors) -> Batch:
        """Of what was drawn."""

    def data(self) -> dict[str, Any]:
        """What a training rests on, for its checkpoint."""


@dataclass(frozen=True, kw_only=True)
class ChosenSymbols:
    """Windows of photographs, whose symbols `chooser` chooses when they are asked for."""

    images: Sequence[UInt8[Tensor, "_ _ 3"]]
    held_out: Sequence[UInt8[Tensor, "_ _ 3"]]
    chooser: ContextModel
    crops: int
    side: int

    @classmethod
    def load(cls, photos: Path, chooser: ContextModel, *, crops: int, side: int) -> "ChosenSymbols":
        """Of a folder of photographs."""
        images, held_out = (load_photographs(photos, 1024, held_out=held) for held in (False, True))
        return cls(images=images, held_out=held_out, chooser=chooser, crops=crops, side=side)

    def draw(self, generator: torch.Generator) -> Tensors:
        """Random windows, and a random step and price for each."""
        rgb = random_crops(self.images, self.crops, self.side, generator)
        log2_step, price = (
            low + (high - low) * torch.rand(self.crops, generator=generator)
            for low, high in (LOG2_STEPS, PRICES)
        )
        return opponent_of(rgb), log2_step, price

    def validation(self) -> Iterable[Iterable[Tensors]]:
        """The middle parts of the photographs held out, at each of `VALIDATION_LOG2_STEPS`."""
        price = torch.tensor([VALIDATION_PRICE])
        for log2_step in VALIDATION_LOG2_STEPS:
            step = torch.tensor([log2_step])
            yield ((middle_part(image), step, price) for image in self.held_out)

    def batch(self, drawn: Tensors) -> Batch:
        """Choose the windows' symbols."""
        opponent, log2_step, price = drawn
        return batch_of(opponent, log2_step, price, self.chooser)

    def data(self) -> dict[str, Any]:
        """Sizes."""
        pixels = sum(image.shape[0] * image.shape[1] for image in self.images)
        return dict(photographs=len(self.images), pixels=pixels, crops=self.crops, side=self.side)


def validation_means(
    examples: Examples, network: nn.Module, measure: Callable[[nn.Module, Batch], Tensor]
) -> list[float]:
    """A measure of a network and each group of the validation, mean over the group's images."""
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
    model: ContextModel, y: Pyramid, log2_step: Float[Tensor, " n"], price: Float[Tensor, " n"]
) -> Pyramid:
    """Symbols of least (y - symbol)^2 + price * bits, as the encoder's, but with contexts of
    coefficients that were rounded up from a fraction of `FIRST_THRESHOLD` on."""
    first = Pyramid(
        low=y.low.round(),
        bands=tuple((b.abs() + 1 - FIRST_THRESHOLD).floor() * b.sign() for b in y.bands),
    )
    with bfloat16_products(y.low.device):
        outputs_of_levels = model.outputs(first, log2_step)
    bands = []
    for exact, outputs in zip(y.bands, outputs_of_levels, strict=True):
        nearest = exact.round()
        candidates = torch.stack([nearest, nearest - nearest.sign(), torch.zeros_like(nearest)])
        bits = torch.stack([mixture.bits(c, outputs) for c in candidates])
        loss = (candidates - exact).square() + _wide(price, exact) * bits
        bands.append(candidates.gather(0, loss.argmin(0, keepdim=True))[0])
    return Pyramid(low=first.low, bands=tuple(bands))


def _wide(x: Float[Tensor, " n"], like: Tensor) -> Tensor:
    return x.view(-1, *[1] * (like.dim() - 1))
