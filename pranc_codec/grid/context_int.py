"""The context model in integers, with which files are coded.

`context` describes the inputs and outputs of a phase's network. Here the same network runs on
integers, which every machine computes alike, as float32 products whose sums stay below 2**24:

    inputs       -127 .. 127: round(8 log2(1 + |x|)) with the sign of x, and without; sixteenths
    weights      integers, by output channel: weight = integer / 2**shift
    activations  0 .. 127: min(max((sum + 2**(shift - 1)) >> shift, 0), 127)
    outputs      (sum + 2**(shift - 1)) >> shift, in sixteenths; for each band loc / scale, log2 of
                 the scale, logit of the shape. `distributions_of` turns them into the integers that
                 `mixture_coder` takes: loc is clamped to +-64, (scale + 1 >> 1) + 32 to 0 .. 112,
                 and the shape is the number of `SHAPE_THRESHOLDS` that the logit reaches

The symbols of a phase are coded band by band, and row by row within a band. `context_int_net` runs
the networks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Int, Int8
from torch import Tensor

from pranc_codec.entropy.mixture_coder import LARGEST_LOC, LARGEST_SCALE, Distributions
from pranc_codec.grid import wavelet
from pranc_codec.grid.blocks import (
    DIFFERENCES,
    PHASES,
    cells_of,
    difference,
    space_to_depth,
    upsample_nearest,
)
from pranc_codec.grid.context import OUTPUTS
from pranc_codec.grid.context_int_net import LARGEST, PAD, IntegerContext, run_phase
from pranc_codec.grid.context_layout import BANDS, OF_BANDS, OF_PHASE

FRACTION_BITS: Final = 6
"""Fraction bits of the integer approximation whose differences the networks see."""
STRIP_CELLS: Final = 8192
SHAPE_THRESHOLDS: Final = (-31, -8, 9, 32)
"""The logits of 1/8, 3/8, 5/8 and 7/8 in sixteenths, rounded up."""

CodePhase = Callable[[Distributions, tuple[int, ...]], np.ndarray]
"""A function that codes or decodes the symbols of a phase and returns them. Its arguments are the
symbols' distributions and the key (level, colour, phase number), with levels counted from 0 for the
coarsest."""


@lru_cache(maxsize=2)
def thresholds(fraction_bits: int) -> tuple[int, ...]:
    """Return the smallest magnitudes that round(8 log2(1 + x)) maps to m = 1 .. 127.

    They are integers v in units of 2**-f, where f is `fraction_bits`. The comparison is exact:
    (v + 2**f)**16 >= 2**(16 f + 2 m - 1).
    """
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
    """Compute `blocks.signed_and_magnitude` in integers: round(8 log2(1 + |x|))."""
    bounds = torch.tensor(thresholds(fraction_bits), device=x.device, dtype=x.dtype)
    magnitude = torch.bucketize(x.abs(), bounds, right=True, out_int32=True).to(torch.int8)
    return torch.cat([magnitude * x.sign().to(torch.int8), magnitude], dim=1)


def log_gradients(approximation: Int[Tensor, "1 1 h w"]) -> Int8[Tensor, "1 8 h w"]:
    """Return `log_integers` of the approximation's differences, one at a time to save memory."""
    maps = [log_integers(difference(approximation, *which), FRACTION_BITS) for which in DIFFERENCES]
    return torch.stack(maps, 2).flatten(1, 2)


def code_bands(
    context: IntegerContext,
    approximation: Int[Tensor, "1 3 _ _"],
    size: tuple[int, int],
    q_step_code: int,
    code: CodePhase,
    *,
    colours: int = 3,
    levels: int | None = None,
    strip_cells: int = STRIP_CELLS,
) -> list[Int[Tensor, "1 3 3 _ _"]]:
    """Code or decode the bands of an image, coarse to fine, and return their symbols.

    approximation: symbols of the coarsest approximation. size: (height, width) of the image.
    q_step_code: 64 log2 of the quantization step. code: function that codes or decodes each phase.
    colours: how many colours are coded; the symbols of the others are zero. levels: how many levels
    are coded, starting with the coarsest; None for all. strip_cells: number of cells that a network
    runs on at once, which bounds its memory.
    """
    below = wavelet.sizes_below(*size)
    fixed = approximation.long() << FRACTION_BITS
    done: list[Tensor] = []
    for number in range(len(below) if levels is None else levels):
        level = _Level(
            context=context,
            number=number,
            finest=len(below) - 1 - number,
            mask=wavelet.coded_mask(*below[number]),
            q_step_code=q_step_code,
            strip_cells=strip_cells,
            parents=done[-1] if done else None,
            grandparents=done[-2] if len(done) > 1 else None,
        )
        for colour in range(colours):
            level.code_colour(colour, fixed[:, colour : colour + 1], code)
        done.append(level.bands)
        if number + 1 < len(below):
            detail = level.bands.long() << FRACTION_BITS
            fixed = wavelet.synthesize_level(fixed, detail, below[number])
    return done


@dataclass(kw_only=True, eq=False)
class _Level:
    """One level while it is coded.

    number: number of the level, counted from 0 for the coarsest. finest: the same, counted from 0
    for the finest. mask: where the three bands have symbols.
    """

    context: IntegerContext
    number: int
    finest: int
    mask: Bool[Tensor, "3 h w"]
    q_step_code: int
    strip_cells: int
    parents: Int[Tensor, "1 3 3 _ _"] | None
    grandparents: Int[Tensor, "1 3 3 _ _"] | None
    earlier: list[Tensor] = field(default_factory=list)
    """Maps of the colours that are already coded."""

    def __post_init__(self) -> None:
        grid = (int(self.mask.shape[1]), int(self.mask.shape[2]))
        self.cells, self.whole = cells_of(grid), bool(self.mask.all())
        device = self.context.device
        self.bands = torch.zeros(1, 3, BANDS, *grid, dtype=torch.int32, device=device)
        self._constants = self._constant_maps()
        parents = self.parents
        self._parents = (
            self._zeros(3 * OF_PHASE) if parents is None else log_integers(parents.flatten(1, 2), 0)
        )

    def code_colour(self, colour: int, approximation: Tensor, code: CodePhase) -> None:
        """Code the four phases of a colour.

        approximation: this colour's approximation on this level's grid, with `FRACTION_BITS`
        fraction bits.
        """
        layout = self.context.layout(colour)
        maps = joined(
            layout.ordered(
                earlier=self.earlier,
                constants=self._constants,
                parents=self._parents,
                grandparents=self._grandparent_maps(colour),
                gradients=space_to_depth(log_gradients(approximation)),
                own=self._zeros(OF_BANDS),
            )
        )
        inside = slice(PAD, PAD + self.cells[0])
        for phase_number, phase in enumerate(PHASES):
            self._code_phase(colour, phase_number, maps, code)
            symbols = space_to_depth(self.bands[:, colour])[:, phase :: len(PHASES)]
            maps[:, layout.own_span(phase_number), inside] = log_integers(symbols, 0)
        self.earlier.append(maps[:, layout.span("own"), inside].clone())

    def _code_phase(self, colour: int, phase_number: int, maps: Tensor, code: CodePhase) -> None:
        """Code the symbols of a phase, if it has any, and store them in `bands`."""
        dy, dx = divmod(PHASES[phase_number], 2)
        mask = self.mask[:, dy::2, dx::2]
        if not (mask.numel() if self.whole else mask.any()):
            return
        distributions = self._distributions(colour, phase_number, mask, maps)
        found = code(distributions, (self.number, colour, phase_number))
        symbols = torch.from_numpy(found).to(self.bands.device)
        part = self.bands[0, colour, :, dy::2, dx::2]
        if self.whole:
            part.copy_(symbols.view(part.shape))
        else:
            part[mask.to(part.device)] = symbols

    def _distributions(
        self, colour: int, phase_number: int, mask: Tensor, maps: Tensor
    ) -> Distributions:
        """Return the distributions of the symbols of a phase."""
        network = self.context.phase_network(self.finest, colour, phase_number)
        h, w = mask.shape[1:]
        outputs = run_phase(network, maps, self.cells, self.strip_cells)[0, :, :h, :w]
        by_output = outputs.reshape(BANDS, OUTPUTS, h, w).transpose(0, 1)
        if self.whole:
            return distributions_of(by_output.flatten(1))
        return distributions_of(by_output[:, mask.to(outputs.device)])

    def _constant_maps(self) -> Int8[Tensor, "1 3 h w"]:
        """Return the input group `constants`, in sixteenths."""
        values = (16, (self.q_step_code + 4 * 64) >> 2, 16 * (self.finest - 4))
        planes = [
            torch.full(
                (1, 1, *self.cells), max(-LARGEST, min(LARGEST, value)), device=self.context.device
            ).to(torch.int8)
            for value in values
        ]
        return torch.cat(planes, 1)

    def _grandparent_maps(self, colour: int) -> Int8[Tensor, "1 6 h w"]:
        if self.grandparents is None:
            return self._zeros(OF_PHASE)
        return log_integers(upsample_nearest(self.grandparents[:, colour], self.cells), 0)

    def _zeros(self, channels: int) -> Int8[Tensor, "1 c h w"]:
        return torch.zeros(1, channels, *self.cells, dtype=torch.int8, device=self.context.device)


def joined(parts: Sequence[Int8[Tensor, "1 _ h w"]]) -> Int8[Tensor, "1 c rows w"]:
    """Concatenate all maps, with `PAD` empty rows above and below, channels last in memory."""
    channels, (height, width) = sum(part.shape[1] for part in parts), parts[0].shape[2:]
    shape = (1, channels, height + 2 * PAD, width)
    out = torch.empty(
        shape, dtype=torch.int8, device=parts[0].device, memory_format=torch.channels_last
    ).zero_()
    torch.cat(list(parts), 1, out=out[:, :, PAD : PAD + height])
    return out


def distributions_of(outputs: Int[Tensor, "3 n"]) -> Distributions:
    """Turn the outputs of a network into the integers that `mixture_coder` takes."""
    loc, scale, logit = outputs.cpu().numpy().astype(np.int64)
    return Distributions(
        loc=loc.clip(-LARGEST_LOC, LARGEST_LOC),
        scale=(((scale + 1) >> 1) + 32).clip(0, LARGEST_SCALE),
        shape=np.searchsorted(np.array(SHAPE_THRESHOLDS), logit, side="right"),
    )
