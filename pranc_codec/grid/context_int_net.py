"""A step's network of the context model in integers: its weights, and its sums.

Products of float32 matrices whose sums stay below 2**24, so the order of summation does not matter
(`sums`). `exact` says what goes in and what comes out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int, Int8
from torch import Tensor

from pranc_codec.errors import CorruptBitstream
from pranc_codec.grid.context import PHASES
from pranc_codec.grid.exact_conv import convolve

OWN: Final = 24
"""Maps of a colour's own bands: three bands, with sign and without, at four phases."""
OWN_OF_PHASE: Final = OWN // 4
LARGEST: Final = 127
EXACT_BELOW: Final = 2**24
PAD: Final = 2
"""Empty rows of cells above and below an image, for the reach of two 3x3 layers."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step's network as integers in float32: weights (outputs, inputs, height, width)."""

    first: Float[Tensor, "hidden inputs 3 3"]
    direct: Float[Tensor, "outputs inputs 3 3"]
    second: Float[Tensor, "hidden hidden 3 3"]
    third: Float[Tensor, "hidden hidden 1 1"]
    last: Float[Tensor, "outputs hidden 1 1"]
    biases: tuple[Float[Tensor, "_ 1 1"], ...]
    """Of first, second, third, last; in units of the sums, half a unit of the output included."""
    scales: tuple[Float[Tensor, "_ 1 1"], ...]
    """2**-shift of the same layers."""


def inputs_of(count: int, colour: int, step: int) -> list[int]:
    """Which of a network's `count` inputs a step knows (`context.known_weights`), in the order of
    `_Level`'s maps: there the bands of a colour lie phase by phase, as they become known."""

    def bands(first: int, phases: int) -> list[int]:
        return [first + 4 * b + phase for phase in PHASES[:phases] for b in range(OWN_OF_PHASE)]

    earlier = [channel for other in range(colour) for channel in bands(OWN * other, 4)]
    own = count - OWN
    return [*earlier, *range(len(earlier), own), *bands(own, step)]


def step_of(
    tensors: Mapping[str, Tensor], network: int, colour: int, step: int, device: torch.device
) -> Step:
    """One step's network from the tensors of a prior (`priors.grid`): integer weights (outputs,
    inputs, taps...), `shift` and `bias` of each layer; the four steps' outputs one after the
    other. Refuses weights whose sums could leave the exact range."""
    prefix = f"context.{network}.{colour}"

    def layer(name: str, part: str) -> Tensor:
        whole = tensors[f"{prefix}.{name}.{part}"]
        return whole.chunk(4)[step].to(device)

    def weight(name: str) -> Tensor:
        whole = layer(name, "weight").float()
        if name in ("first", "direct"):
            whole = whole[:, inputs_of(whole.shape[1], colour, step)]
        return whole.contiguous(memory_format=torch.channels_last)

    w = {name: weight(name) for name in ("first", "direct", "second", "third", "last")}
    shifts = {name: layer(name, "shift").double() for name in ("first", "second", "third", "last")}
    biases = {
        name: layer(name, "bias").double() + torch.exp2(shift - 1) for name, shift in shifts.items()
    }
    for name, bias in biases.items():
        total = LARGEST * w[name].abs().sum((1, 2, 3)).double() + bias.abs()
        if name == "last":
            total += LARGEST * w["direct"].abs().sum((1, 2, 3)).double()
        if not bool((total < EXACT_BELOW).all()):
            raise CorruptBitstream(
                f"sums of {prefix}.{name} can reach {float(total.max()):.0f}, beyond the "
                f"{EXACT_BELOW} up to which they are exact"
            )
    return Step(
        **w,
        biases=tuple(b.float()[:, None, None] for b in biases.values()),
        scales=tuple(torch.exp2(-s).float()[:, None, None] for s in shifts.values()),
    )


class ExactContext:
    """The networks of a prior, ready to run."""

    def __init__(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        self.device = device
        self._tensors = tensors
        self._steps: dict[tuple[int, int, int], Step] = {}

    def step(self, network: int, colour: int, step: int) -> Step:
        """One step's network, made when it is first asked for."""
        key = (network, colour, step)
        if key not in self._steps:
            self._steps[key] = step_of(self._tensors, network, colour, step, self.device)
        return self._steps[key]


def run_step(
    network: Step, maps: Int8[Tensor, "1 c rows w"], cells: tuple[int, int], strip_cells: int
) -> Int[Tensor, "1 outputs h w"]:
    """Outputs of a step at all cells, strip by strip of rows."""
    rows = max(1, strip_cells // cells[1])
    strips = [
        _run_strip(network, maps, cells[0], top, min(top + rows, cells[0]))
        for top in range(0, cells[0], rows)
    ]
    return torch.cat(strips, dim=2)


def _run_strip(network: Step, maps: Tensor, height: int, top: int, bottom: int) -> Tensor:
    """Outputs of the rows top .. bottom - 1."""
    known = maps[:, : network.first.shape[1], top : bottom + 2 * PAD]
    x = known.to(torch.float32, memory_format=torch.channels_last)
    h = _activated(convolve(x, network.first), network, 0)
    # One hidden row beyond the strip on both sides; outside the image it is zero.
    if top == 0:
        h[:, :, 0] = 0
    if bottom == height:
        h[:, :, -1] = 0
    h = _activated(convolve(h, network.second), network, 1)
    h = _activated(convolve(h, network.third), network, 2)
    out = convolve(h, network.last).add_(convolve(x[:, :, 1:-1], network.direct))
    return out.add_(network.biases[3]).mul_(network.scales[3]).floor_().to(torch.int32)


def _activated(sums: Tensor, network: Step, layer: int) -> Tensor:
    """0 .. 127 from a layer's sums."""
    out = sums.add_(network.biases[layer]).mul_(network.scales[layer])
    return out.floor_().clamp_(0, LARGEST)
