"""The networks of the integer context model: how they are loaded and run.

The networks run as float32 convolutions whose sums stay below 2**24, so they are exact in any order
of summation (`exact_conv`). `context_int` describes their inputs and outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int, Int8
from torch import Tensor

from pranc_codec.errors import CorruptBitstream
from pranc_codec.grid.architecture import ARCHITECTURE_1, Architecture
from pranc_codec.grid.blocks import PHASES
from pranc_codec.grid.context import LAYERS
from pranc_codec.grid.context_layout import ContextLayout
from pranc_codec.grid.exact_conv import convolve

LARGEST: Final = 127
"""Largest magnitude of inputs, activations and weights."""
EXACT_BELOW: Final = 2**24
PAD: Final = 2
"""Empty rows of cells above and below an image, for the receptive field of two 3x3 layers."""


@dataclass(frozen=True, kw_only=True)
class PhaseNetwork:
    """The network of one phase, as integers in float32: weights (outputs, inputs, height, width).

    biases: those of the layers first, second, third, last, in units of their sums. They include
        half a unit of the output, so that rounding down rounds to the nearest integer.
    scales: 2**-shift of the same layers.
    """

    first: Float[Tensor, "hidden inputs 3 3"]
    direct: Float[Tensor, "outputs inputs 3 3"]
    second: Float[Tensor, "hidden hidden 3 3"]
    third: Float[Tensor, "hidden hidden 1 1"]
    last: Float[Tensor, "outputs hidden 1 1"]
    biases: tuple[Float[Tensor, "_ 1 1"], ...]
    scales: tuple[Float[Tensor, "_ 1 1"], ...]


def phase_network_of(
    tensors: Mapping[str, Tensor],
    network: int,
    layout: ContextLayout,
    phase_number: int,
    device: torch.device,
) -> PhaseNetwork:
    """Take the network of one phase from the tensors of a prior.

    `training.pack_prior` writes these. Each layer has a tensor of integer weights (outputs, inputs,
    height, width), a `shift` and a `bias`; each tensor holds the four phases, concatenated.

    Raises CorruptBitstream for weights whose sums could leave the exact range.
    """
    prefix = f"context.{network}.{layout.colour}"
    biased = [name for name in LAYERS if name != "direct"]

    def layer(name: str, part: str) -> Tensor:
        whole = tensors[f"{prefix}.{name}.{part}"]
        return whole.chunk(len(PHASES))[phase_number].to(device)

    def weight(name: str) -> Tensor:
        whole = layer(name, "weight").float()
        if name in ("first", "direct"):
            whole = whole[:, layout.known_channels(phase_number)]
        return whole.contiguous(memory_format=torch.channels_last)

    w = {name: weight(name) for name in LAYERS}
    shifts = {name: layer(name, "shift").double() for name in biased}
    biases = {
        name: layer(name, "bias").double() + torch.exp2(shift - 1) for name, shift in shifts.items()
    }
    _check_exact(w, biases, prefix)
    return PhaseNetwork(
        **w,
        biases=tuple(b.float()[:, None, None] for b in biases.values()),
        scales=tuple(torch.exp2(-s).float()[:, None, None] for s in shifts.values()),
    )


def _check_exact(weights: dict[str, Tensor], biases: dict[str, Tensor], prefix: str) -> None:
    """Refuse weights whose sums could leave the range in which float32 is exact."""
    for name, bias in biases.items():
        total = LARGEST * weights[name].abs().sum((1, 2, 3)).double() + bias.abs()
        if name == "last":
            total += LARGEST * weights["direct"].abs().sum((1, 2, 3)).double()
        if not bool((total < EXACT_BELOW).all()):
            raise CorruptBitstream(
                f"sums of {prefix}.{name} can reach {float(total.max()):.0f}, beyond the "
                f"{EXACT_BELOW} up to which they are exact"
            )


class IntegerContext:
    """The integer context networks of a prior on a device. Each is loaded at its first use."""

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        device: torch.device,
        architecture: Architecture = ARCHITECTURE_1,
        colours: int = 3,
    ) -> None:
        self.device = device
        self._tensors, self._architecture, self._colours = tensors, architecture, colours
        self._networks: dict[tuple[int, int, int], PhaseNetwork] = {}

    def layout(self, colour: int) -> ContextLayout:
        """Return the input maps of a colour's networks."""
        return ContextLayout(colours=self._colours, colour=colour)

    def phase_network(self, finest: int, colour: int, phase_number: int) -> PhaseNetwork:
        """Return the network of a phase. finest: the level, counted from 0 for the finest."""
        key = (self._architecture.network_of_level(finest), colour, phase_number)
        if key not in self._networks:
            self._networks[key] = phase_network_of(
                self._tensors, key[0], self.layout(colour), phase_number, self.device
            )
        return self._networks[key]


def run_phase(
    network: PhaseNetwork,
    maps: Int8[Tensor, "1 c rows w"],
    cells: tuple[int, int],
    strip_cells: int,
) -> Int[Tensor, "1 outputs h w"]:
    """Compute the outputs of a phase's network at all cells, in strips of rows."""
    rows = max(1, strip_cells // cells[1])
    strips = [
        _run_strip(network, maps, cells[0], top, min(top + rows, cells[0]))
        for top in range(0, cells[0], rows)
    ]
    return torch.cat(strips, dim=2)


def _run_strip(network: PhaseNetwork, maps: Tensor, height: int, top: int, bottom: int) -> Tensor:
    """Compute the outputs of the rows of cells top .. bottom - 1."""
    known = maps[:, : network.first.shape[1], top : bottom + 2 * PAD]
    x = known.to(torch.float32, memory_format=torch.channels_last)
    h = _activated(convolve(x, network.first), network, 0)
    # h has one row more than the strip on both sides; outside the image it must be zero.
    if top == 0:
        h[:, :, 0] = 0
    if bottom == height:
        h[:, :, -1] = 0
    h = _activated(convolve(h, network.second), network, 1)
    h = _activated(convolve(h, network.third), network, 2)
    out = convolve(h, network.last).add_(convolve(x[:, :, 1:-1], network.direct))
    return out.add_(network.biases[3]).mul_(network.scales[3]).floor_().to(torch.int32)


def _activated(sums: Tensor, network: PhaseNetwork, layer: int) -> Tensor:
    """Turn the sums of a layer into activations 0 .. 127."""
    out = sums.add_(network.biases[layer]).mul_(network.scales[layer])
    return out.floor_().clamp_(0, LARGEST)
