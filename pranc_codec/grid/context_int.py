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

The symbols of a step come band by band, in a band row by row. `exact_network` runs the networks.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from jaxtyping import Int, Int8
from torch import Tensor

from pranc_codec.entropy.mixture_coder import LARGEST_LOC, LARGEST_SCALE, Distributions
from pranc_codec.grid import wavelet
from pranc_codec.grid.blocks import DIFFERENCES, cells_of, difference, doubled, fold
from pranc_codec.grid.context import OUTPUTS, PHASES, network_of_level
from pranc_codec.grid.context_int_net import LARGEST, OWN, OWN_OF_PHASE, PAD, ExactContext, run_step

LOW_BITS: Final = 6
"""Fraction bits of the low band that slopes are taken of."""
STRIP_CELLS: Final = 8192
SHAPE_THRESHOLDS: Final = (-31, -8, 9, 32)
"""Sixteenths of the logits of 1/8, 3/8, 5/8 and 7/8, rounded up."""

CodeStep = Callable[[Distributions, tuple[int, ...]], np.ndarray]
"""Given distributions, and (level, colour, step) that they are of: the symbols."""


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
    magnitude = torch.bucketize(x.abs(), bounds, right=True, out_int32=True).to(torch.int8)
    return torch.cat([magnitude * x.sign().to(torch.int8), magnitude], dim=1)


def log_slopes(low: Int[Tensor, "1 1 h w"]) -> Int8[Tensor, "1 8 h w"]:
    """`log_integers` of `context.slopes`, one after the other to save memory."""
    maps = [log_integers(difference(low, *which), LOW_BITS) for which in DIFFERENCES]
    return torch.stack(maps, 2).flatten(1, 2)


def code_bands(
    context: ExactContext,
    low: Int[Tensor, "1 3 _ _"],
    size: tuple[int, int],
    q_step_code: int,
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
        level = _Level(context, sizes[number], grids[number], finest, q_step_code, strip_cells)
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
        q_step_code: int, strip_cells: int,
    ) -> None:  # fmt: skip
        self.context, self.finest, self.q_step_code = context, finest, q_step_code
        self.grid, self.cells = grid, cells_of(grid)
        self.strip_cells = strip_cells
        self.present = wavelet.present(*below)
        self.whole = bool(self.present.all())
        self.bands = torch.zeros(1, 3, 3, *grid, dtype=torch.int32, device=context.device)
        self.earlier: list[Tensor] = []
        self.grand: Tensor | None = None

    def prepare(self, parents: Tensor | None, grandparents: Tensor | None) -> None:
        """Maps that all colours share."""
        device = self.context.device
        constants = (16, (self.q_step_code + 4 * 64) >> 2, 16 * (self.finest - 4))
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
        steep = fold(log_slopes(low))
        own = torch.zeros(1, OWN, *self.cells, dtype=torch.int8, device=low.device)
        maps = joined([*self.earlier, self.shared, grand, steep, own])
        for step, phase in enumerate(PHASES):
            dy, dx = divmod(phase, 2)
            mask = self.present[:, dy::2, dx::2]
            if mask.numel() if self.whole else mask.any():
                self._code_step(colour, step, (dy, dx), mask, maps, number, code)
            first = maps.shape[1] - OWN + OWN_OF_PHASE * step
            known = log_integers(fold(self.bands[:, colour])[:, phase::4], 0)
            maps[:, first : first + OWN_OF_PHASE, PAD : PAD + self.cells[0]] = known
        self.earlier.append(maps[:, -OWN:, PAD : PAD + self.cells[0]].clone())

    def _code_step(
        self, colour: int, step: int, place: tuple[int, int], mask: Tensor, maps: Tensor,
        number: int, code: CodeStep,
    ) -> None:  # fmt: skip
        found = code(self._distributions(colour, step, mask, maps), (number, colour, step))
        symbols = torch.from_numpy(found).to(self.bands.device)
        part = self.bands[0, colour, :, place[0] :: 2, place[1] :: 2]
        if self.whole:
            part.copy_(symbols.view(part.shape))
        else:
            part[mask.to(part.device)] = symbols

    def _distributions(self, colour: int, step: int, mask: Tensor, maps: Tensor) -> Distributions:
        """Of the symbols that a step has."""
        network = self.context.step(network_of_level(self.finest), colour, step)
        h, w = mask.shape[1:]
        outputs = run_step(network, maps, self.cells, self.strip_cells)[0, :, :h, :w]
        by_output = outputs.reshape(3, OUTPUTS, h, w).transpose(0, 1)
        if self.whole:
            return distributions_of(by_output.flatten(1))
        return distributions_of(by_output[:, mask.to(outputs.device)])


def joined(parts: Sequence[Int8[Tensor, "1 _ h w"]]) -> Int8[Tensor, "1 c rows w"]:
    """All maps with `PAD` empty rows above and below, channels last in memory."""
    channels, (height, width) = sum(part.shape[1] for part in parts), parts[0].shape[2:]
    shape = (1, channels, height + 2 * PAD, width)
    out = torch.empty(
        shape, dtype=torch.int8, device=parts[0].device, memory_format=torch.channels_last
    ).zero_()
    torch.cat(list(parts), 1, out=out[:, :, PAD : PAD + height])
    return out


def distributions_of(outputs: Int[Tensor, "3 n"]) -> Distributions:
    """Integers of `latents` from a network's outputs: loc, scale, shape."""
    loc, scale, logit = outputs.cpu().numpy().astype(np.int64)
    return Distributions(
        loc=loc.clip(-LARGEST_LOC, LARGEST_LOC),
        scale=(((scale + 1) >> 1) + 32).clip(0, LARGEST_SCALE),
        shape=np.searchsorted(np.array(SHAPE_THRESHOLDS), logit, side="right"),
    )
