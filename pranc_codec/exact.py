"""The context model in integers: what a file is coded with.

`context` describes what a step's network sees and says. Here the same network runs on integers
that every machine computes alike, as products of float32 matrices whose sums stay below 2**24:

    inputs       -127 .. 127, round(8 log2(1 + |x|)) with the sign of x and without; sixteenths
    weights      integers, by output channel: weight = integer / 2**shift
    activations  0 .. 127: min(max((sum + 2**(shift - 1)) >> shift, 0), 127)
    outputs      (sum + 2**(shift - 1)) >> shift, in sixteenths; for each band location over scale,
                 log2 of the scale, logit of the shape. What `latents` takes of them
                 (`distributions_of`): location cut off at +-64, (scale + 1 >> 1) + 32 cut off at
                 0 .. 112, and how many of `SHAPE_THRESHOLDS` the logit reaches

The symbols of a step come band by band, in a band row by row.

So the order of summation does not matter (`sums`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int, Int8
from torch import Tensor

from pranc_codec import wavelet
from pranc_codec.context import (
    OUTPUTS,
    PHASES,
    cells_of,
    doubled,
    fold,
    network_of_level,
    slopes,
)
from pranc_codec.errors import CorruptBitstream
from pranc_codec.latents import LARGEST_LOCATION, LARGEST_SCALE, Distributions
from pranc_codec.sums import convolve

LOW_BITS: Final = 6
"""Fraction bits of the low band that slopes are taken of."""
LARGEST: Final = 127
EXACT_BELOW: Final = 2**24
PAD: Final = 2
"""Empty rows of cells above and below an image, for the reach of two 3x3 layers."""
STRIP_CELLS: Final = 8192
SHAPE_THRESHOLDS: Final = (-31, -8, 9, 32)
"""Sixteenths of the logits of 1/8, 3/8, 5/8 and 7/8, rounded up."""

CodeStep = Callable[[Distributions, tuple[int, ...]], np.ndarray]
"""Given distributions, and (level, colour, step) that they are of: the symbols."""


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


def step_of(tensors: Mapping[str, Tensor], prefix: str, step: int, device: torch.device) -> Step:
    """One step's network from the tensors of a prior (`priors.grid`): integer weights (outputs,
    inputs, taps...), `shift` and `bias` of each layer; the four steps' outputs one after the
    other. Refuses weights whose sums could leave the exact range."""

    def layer(name: str, part: str) -> Tensor:
        whole = tensors[f"{prefix}.{name}.{part}"]
        return whole.chunk(4)[step].to(device)

    names = ("first", "direct", "second", "third", "last")
    w = {
        name: layer(name, "weight").float().contiguous(memory_format=torch.channels_last)
        for name in names
    }
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
            prefix = f"context.{network}.{colour}"
            self._steps[key] = step_of(self._tensors, prefix, step, self.device)
        return self._steps[key]


@lru_cache(maxsize=2)
def thresholds(fraction_bits: int) -> tuple[int, ...]:
    """Smallest magnitude, in units of 2**-fraction_bits, whose round(8 log2(1 + x)) is m, for
    m = 1 .. 127; from integers: (v + 2**f)**16 >= 2**(16 f + 2 m - 1)."""
    out = []
    for m in range(1, LARGEST + 1):
        target = 1 << (16 * fraction_bits + 2 * m - 1)
        low, high = 0, 1 << (fraction_bits + m // 8 + 1)
        while low < high:
            middle = (low + high) // 2
            if (middle + (1 << fraction_bits)) ** 16 >= target:
                high = middle
            else:
                low = middle + 1
        out.append(low)
    return tuple(out)


def log_integers(x: Int[Tensor, "n c h w"], fraction_bits: int) -> Int8[Tensor, "n c2 h w"]:
    """Integer form of `context.signed_and_not`."""
    bounds = torch.tensor(thresholds(fraction_bits), device=x.device, dtype=x.dtype)
    magnitude = torch.bucketize(x.abs(), bounds, right=True).to(torch.int8)
    return torch.cat([magnitude * x.sign().to(torch.int8), magnitude], dim=1)


def code_bands(
    context: ExactContext,
    low: Int[Tensor, "1 3 _ _"],
    size: tuple[int, int],
    step_code: int,
    code: CodeStep,
    *,
    colours: int = 3,
    levels: int | None = None,
    strip_cells: int = STRIP_CELLS,
) -> list[Int[Tensor, "1 3 3 _ _"]]:
    """Code or decode the bands of an image, coarse to fine: `code` is asked for the symbols of
    each step. low: symbols of the low band. size: (height, width). colours: how many are coded;
    the others are zero. levels: how many are coded, from the coarsest on; None for all."""
    grids = wavelet.grids(*size)
    sizes = [*grids[1:], size]
    fixed = low.long() << LOW_BITS
    done: list[Tensor] = []
    for number in range(len(grids) if levels is None else levels):
        finest = len(grids) - 1 - number
        level = _Level(context, sizes[number], grids[number], finest, step_code, strip_cells)
        family = done[-1] if done else None
        level.prepare(family, done[-2] if len(done) > 1 else None)
        for colour in range(colours):
            level.code_colour(colour, fixed[:, colour : colour + 1], number, code)
        done.append(level.bands)
        if number + 1 < len(grids):
            detail = level.bands.long() << LOW_BITS
            fixed = wavelet.synthesize_level(fixed, detail, sizes[number])
    return done


class _Level:
    """One level while it is coded."""

    def __init__(
        self, context: ExactContext, below: tuple[int, int], grid: tuple[int, int], finest: int,
        step_code: int, strip_cells: int,
    ) -> None:  # fmt: skip
        self.context, self.finest, self.step_code = context, finest, step_code
        self.grid, self.cells = grid, cells_of(grid)
        self.strip_cells = strip_cells
        self.present = wavelet.present(*below)
        self.bands = torch.zeros(1, 3, 3, *grid, dtype=torch.int32, device=context.device)
        self.earlier: list[Tensor] = []
        self.grand: Tensor | None = None

    def prepare(self, parents: Tensor | None, grandparents: Tensor | None) -> None:
        """Maps that all colours share."""
        device = self.context.device
        constants = (16, (self.step_code + 4 * 64) >> 2, 16 * (self.finest - 4))
        planes = [
            torch.full((1, 1, *self.cells), max(-LARGEST, min(LARGEST, value)), device=device)
            for value in constants
        ]
        if parents is None:
            family = torch.zeros(1, 18, *self.cells, dtype=torch.int8, device=device)
        else:
            family = log_integers(parents.flatten(1, 2), 0)
        self.shared = torch.cat([*(p.to(torch.int8) for p in planes), family], 1)
        self.grand = grandparents

    def code_colour(self, colour: int, low: Tensor, number: int, code: CodeStep) -> None:
        """The four steps of a colour. low: of this grid and colour, `LOW_BITS` of fraction."""
        if self.grand is None:
            grand = torch.zeros(1, 6, *self.cells, dtype=torch.int8, device=low.device)
        else:
            grand = log_integers(doubled(self.grand[:, colour], self.cells), 0)
        steep = log_integers(fold(slopes(low)), LOW_BITS)
        own = torch.zeros(1, 24, *self.cells, dtype=torch.int8, device=low.device)
        maps = joined([*self.earlier, self.shared, grand, steep, own])
        for step, phase in enumerate(PHASES):
            dy, dx = divmod(phase, 2)
            mask = self.present[:, dy::2, dx::2]
            if mask.any():
                self._code_step(colour, step, (dy, dx), mask, maps, number, code)
            known = log_integers(fold(self.bands[:, colour])[:, phase::4], 0)
            maps[:, -24 + phase :: 4, PAD : PAD + self.cells[0]] = known
        self.earlier.append(log_integers(fold(self.bands[:, colour]), 0))

    def _code_step(
        self, colour: int, step: int, place: tuple[int, int], mask: Tensor, maps: Tensor,
        number: int, code: CodeStep,
    ) -> None:  # fmt: skip
        symbols = code(self._distributions(colour, step, mask, maps), (number, colour, step))
        part = self.bands[0, colour, :, place[0] :: 2, place[1] :: 2]
        part[mask.to(part.device)] = torch.from_numpy(symbols).to(part.device)

    def _distributions(self, colour: int, step: int, mask: Tensor, maps: Tensor) -> Distributions:
        """Of the symbols that a step has."""
        network = self.context.step(network_of_level(self.finest), colour, step)
        h, w = mask.shape[1:]
        outputs = run_step(network, maps, self.cells, self.strip_cells)[0, :, :h, :w]
        chosen = outputs.reshape(3, OUTPUTS, h, w).transpose(0, 1)[:, mask.to(outputs.device)]
        return distributions_of(chosen)


def joined(parts: Sequence[Int8[Tensor, "1 _ h w"]]) -> Int8[Tensor, "1 c rows w"]:
    """All maps with `PAD` empty rows above and below, channels last in memory."""
    channels, (height, width) = sum(part.shape[1] for part in parts), parts[0].shape[2:]
    shape = (1, channels, height + 2 * PAD, width)
    out = torch.empty(
        shape, dtype=torch.int8, device=parts[0].device, memory_format=torch.channels_last
    ).zero_()
    torch.cat(list(parts), 1, out=out[:, :, PAD : PAD + height])
    return out


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
    x = maps[:, :, top : bottom + 2 * PAD].float()
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


def distributions_of(outputs: Int[Tensor, "3 n"]) -> Distributions:
    """Integers of `latents` from a network's outputs: location, scale, shape."""
    location, scale, logit = outputs.cpu().numpy().astype(np.int64)
    return Distributions(
        location=location.clip(-LARGEST_LOCATION, LARGEST_LOCATION),
        scale=(((scale + 1) >> 1) + 32).clip(0, LARGEST_SCALE),
        shape=np.searchsorted(np.array(SHAPE_THRESHOLDS), logit, side="right"),
    )
