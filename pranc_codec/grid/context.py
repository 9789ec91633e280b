"""The context model of the grid profile: predicts distributions of symbols from decoded symbols.

Levels are coded from coarse to fine. A level is coded colour by colour. The three bands of a colour
are coded together, in four phases, each of which is one position in the grid's 2x2 cells, in the
order `blocks.PHASES`. `context_layout` lists the inputs of a phase's network: maps on the grid of
cells. Two 3x3 layers give it a receptive field of 5x5 cells.

The outputs are three numbers for each symbol: loc / scale, log2 of the scale, and the logit of the
shape (`mixture`).

This module is the model in floating point, for training and for fitting latents. Files are coded
with `context_int`, the same model in integers.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pranc_codec.grid import wavelet
from pranc_codec.grid.architecture import ARCHITECTURE_1, Architecture
from pranc_codec.grid.blocks import (
    PHASES,
    approximation_gradients,
    cells_of,
    depth_to_space,
    signed_and_magnitude,
    space_to_depth,
    upsample_nearest,
)
from pranc_codec.grid.context_layout import BANDS, CONSTANTS, OF_PHASE, ContextLayout
from pranc_codec.grid.wavelet import Pyramid

OUTPUTS: Final = 3
"""How many numbers describe a symbol's distribution."""
LAYERS: Final = ("first", "direct", "second", "third", "last")
"""Convolutions of a network. `direct` skips the others; its output is added to that of `last`."""
UNIT: Final = 1 / 16
"""Activations of the integer form are multiples of this."""
LARGEST_ACTIVATION: Final = 127 * UNIT
"""Activations are clamped here, because in the integer form they are 0 .. 127."""
LARGEST_WEIGHT: Final = 127
SHIFTS: Final = (1, 14)
"""Smallest and largest number of fraction bits of an output channel's weights."""


class ColourContext(nn.Module):
    """The networks of the four phases of one colour at one level, as one network of four groups.

    Weights for inputs that a phase may not know are masked to zero. With `rounded`, weights and
    activations are rounded as in the integer form, with straight-through gradients.
    """

    known: Tensor

    def __init__(self, layout: ContextLayout, hidden: int) -> None:
        super().__init__()
        self.layout, phases = layout, len(PHASES)
        outputs = phases * BANDS * OUTPUTS
        self.first = nn.Conv2d(layout.total, phases * hidden, 3, padding=1)
        self.direct = nn.Conv2d(layout.total, outputs, 3, padding=1, bias=False)
        self.second = nn.Conv2d(phases * hidden, phases * hidden, 3, padding=1, groups=phases)
        self.third = nn.Conv2d(phases * hidden, phases * hidden, 1, groups=phases)
        self.last = nn.Conv2d(phases * hidden, outputs, 1, groups=phases)
        self.register_buffer("known", layout.known_mask(), persistent=False)
        self.rounded = False
        nn.init.zeros_(self.direct.weight)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(
        self, maps: Float[Tensor, "n inputs h w"]
    ) -> Float[Tensor, "n phases 3 outputs h w"]:
        """Compute the outputs of all four phases, in the order of `PHASES`, for the three bands."""
        x = self._inputs(maps)
        w = self.weights()
        h = self._activated(functional.conv2d(x, w["first"], self.first.bias, padding=1))
        h = self._activated(
            functional.conv2d(h, w["second"], self.second.bias, padding=1, groups=4)
        )
        h = self._activated(functional.conv2d(h, w["third"], self.third.bias, groups=4))
        out = functional.conv2d(h, w["last"], self.last.bias, groups=4)
        out = out + functional.conv2d(x, w["direct"], padding=1)
        return out.float().view(len(x), len(PHASES), BANDS, OUTPUTS, *x.shape[2:])

    def weights(self) -> dict[str, Tensor]:
        """Return the weights that the forward pass uses: masked, and rounded if `rounded`."""
        out = {}
        for name in LAYERS:
            weight: Tensor = getattr(self, name).weight
            if name in ("first", "direct"):
                known = self.known.repeat_interleave(len(weight) // len(PHASES), 0)
                weight = weight * known[:, :, None, None]
            out[name] = weight
        if self.rounded:
            for name, shift in shifts_of(out).items():
                unit = torch.exp2(-shift)[:, None, None, None]
                out[name] = _straight_through(out[name], (out[name] / unit).round() * unit)
        return out

    def _inputs(self, x: Tensor) -> Tensor:
        x = (x / UNIT).round() * UNIT if self.rounded else x
        return x.contiguous(memory_format=torch.channels_last)

    def _activated(self, x: Tensor) -> Tensor:
        """Clamp x to 0 .. `LARGEST_ACTIVATION`."""
        x = functional.hardtanh(x, 0, LARGEST_ACTIVATION)
        return _straight_through(x, (x / UNIT).round() * UNIT) if self.rounded else x


def shifts_of(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the fraction bits of the integer weights, for each layer and output channel.

    They are as many as `LARGEST_WEIGHT` allows. The outputs of `direct` and `last` are added, so
    these two layers share their fraction bits.
    """
    largest = {name: w.detach().abs().flatten(1).amax(1) for name, w in weights.items()}
    both = torch.maximum(largest["direct"], largest["last"])
    largest |= {"direct": both, "last": both}
    return {
        name: torch.log2(LARGEST_WEIGHT / peak.clamp_min(1e-9)).floor().clamp(*SHIFTS)
        for name, peak in largest.items()
    }


def _straight_through(x: Tensor, value: Tensor) -> Tensor:
    """Return exactly `value`, with the gradient of `x`."""
    return value + (x - x.detach()) if torch.is_grad_enabled() else value


class ContextModel(nn.Module):
    """The context networks of all levels and colours of a prior. colours: 1 (grey) or 3."""

    def __init__(self, architecture: Architecture = ARCHITECTURE_1, colours: int = 3) -> None:
        super().__init__()
        self.architecture, self.colours = architecture, colours
        self.networks = nn.ModuleList(
            nn.ModuleList(
                ColourContext(
                    ContextLayout(colours=colours, colour=colour),
                    architecture.context_hidden[colour],
                )
                for colour in range(colours)
            )
            for _ in range(architecture.network_sets)
        )

    def set_rounded(self, rounded: bool) -> None:
        """Set whether weights and activations are rounded as in the integer form."""
        for module in self.modules():
            if isinstance(module, ColourContext):
                module.rounded = rounded

    def outputs(
        self, symbols: Pyramid, log2_q_step: Float[Tensor, " n"]
    ) -> list[Float[Tensor, "outputs n colours 3 _ _"]]:
        """Return outputs for all symbols of all levels, coarse to fine, given the symbols."""
        approximation, parents, grandparents = symbols.approximation, None, None
        out = []
        for number, bands in enumerate(symbols.bands):
            finest = len(symbols.bands) - 1 - number
            outputs = self.level(bands, approximation, parents, grandparents, log2_q_step, finest)
            out.append(outputs.movedim(3, 0).float())
            if finest:
                size = symbols.bands[number + 1].shape[3:]
                approximation = wavelet.synthesize_level(approximation, bands, (size[0], size[1]))
            parents, grandparents = bands, parents
        return out

    def level(
        self,
        bands: Float[Tensor, "n colours 3 h w"],
        approximation: Float[Tensor, "n colours h w"],
        parents: Float[Tensor, "n colours 3 hp wp"] | None,
        grandparents: Float[Tensor, "n colours 3 hg wg"] | None,
        log2_q_step: Float[Tensor, " n"],
        finest: int,
    ) -> Float[Tensor, "n colours 3 outputs h w"]:
        """Return outputs for every symbol of a level, given the symbols.

        bands, parents, grandparents: symbols of this level and of the next two coarser ones.
        approximation: the approximation on this level's grid, in quantization steps.
        finest: number of the level, counted from 0 for the finest.
        """
        size = (int(bands.shape[3]), int(bands.shape[4]))
        constants = _constants(log2_q_step, finest, cells_of(size))
        parent_maps = _coarser_maps(parents, self.colours, constants)
        earlier: list[Tensor] = []
        out = []
        networks = self.networks[self.architecture.network_of_level(finest)]
        assert isinstance(networks, nn.ModuleList)
        for colour, network in enumerate(networks):
            assert isinstance(network, ColourContext)
            own = signed_and_magnitude(space_to_depth(bands[:, colour]))
            one = slice(colour, colour + 1)
            maps = network.layout.ordered(
                earlier=earlier,
                constants=constants,
                parents=parent_maps,
                grandparents=_grandparent_maps(grandparents, colour, constants),
                gradients=signed_and_magnitude(
                    space_to_depth(approximation_gradients(approximation[:, one]))
                ),
                own=own,
            )
            raw = network(torch.cat(maps, 1))
            earlier.append(own)
            phases = [raw[:, PHASES.index(phase)] for phase in range(len(PHASES))]
            by_phase = torch.stack(phases, dim=3).flatten(1, 3)
            out.append(depth_to_space(by_phase, size).view(len(bands), BANDS, OUTPUTS, *size))
        return torch.stack(out, dim=1)


def _constants(
    log2_q_step: Float[Tensor, " n"], finest: int, cells: tuple[int, int]
) -> Float[Tensor, "n 3 h w"]:
    """Return the input group `constants`."""
    inside = log2_q_step.new_ones(len(log2_q_step), 1, *cells)
    step = (log2_q_step + 4)[:, None, None, None] * inside
    maps = torch.cat([inside, step, inside * (finest - 4)], 1)
    assert maps.shape[1] == CONSTANTS
    return maps


def _coarser_maps(
    parents: Float[Tensor, "n colours 3 h w"] | None, colours: int, like: Tensor
) -> Float[Tensor, "n c h w"]:
    """Return the input group `parents`: bands of the next coarser level, on the grid of cells."""
    if parents is None:
        return like.new_zeros(len(like), OF_PHASE * colours, *like.shape[2:])
    return signed_and_magnitude(parents.flatten(1, 2))


def _grandparent_maps(
    grandparents: Float[Tensor, "n colours 3 h w"] | None, colour: int, like: Tensor
) -> Float[Tensor, "n 6 _ _"]:
    """Return the input group `grandparents`: one colour's bands, two levels coarser."""
    cells = (int(like.shape[2]), int(like.shape[3]))
    if grandparents is None:
        return like.new_zeros(len(like), OF_PHASE, *cells)
    return signed_and_magnitude(upsample_nearest(grandparents[:, colour], cells))
