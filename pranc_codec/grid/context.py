"""The context model of the grid profile: what is known so far -> distributions of what follows.

Levels are coded coarse to fine; in a level colour by colour; in a colour the three bands together
in four steps, one phase of the grid's 2x2 cells each, in the order `PHASES`. A step's network sees

    own        this level's bands of this colour, at the phases already coded
    earlier    this level's bands of the earlier colours, all phases
    parents    the next coarser level's bands, all colours; and the grandparents of this colour
    slopes     first and second differences of the low band that the coarser levels give, of this
               colour, in steps
    constants  1 inside the image (0 in the padding), the step, the level

all as maps on the grid of cells, in a window of 3x3 cells; a second 3x3 layer widens it to 5x5.
Integers enter as logarithms of their magnitudes, with their sign and without.

The output are three numbers a symbol: location over scale, log2 of the scale, shape (`density`).

This module is the model in floating point, for training and fitting. What a file is coded with is
`exact`, the same model in integers.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pranc_codec.grid import wavelet
from pranc_codec.grid.blocks import (
    DIFFERENCES,
    cells_of,
    doubled,
    fold,
    signed_and_not,
    slopes,
    unfold,
)
from pranc_codec.grid.wavelet import Pyramid

PHASES: Final = (0, 3, 1, 2)
"""Cells are 2x2; phase 2 * dy + dx. The diagonal neighbour of the first comes second."""
OUTPUTS: Final = 3
"""Numbers that describe a symbol's distribution."""
CONSTANTS: Final = 3
HIDDEN: Final = (64, 32, 32)
"""Channels of a step's hidden layers, by colour."""
OWN_NETWORKS: Final = 3
"""The finest levels have networks of their own; the coarser ones share one more."""
UNIT: Final = 1 / 16
"""Of activations, in the integer form."""
LARGEST_ACTIVATION: Final = 127 * UNIT
"""Activations are cut off here: in the integer form they are 0 .. 127."""
LARGEST_WEIGHT: Final = 127
SHIFTS: Final = (1, 14)


def given_channels(colours: int, colour: int) -> int:
    """Maps that are known before a colour's first step."""
    earlier, parents = 24 * colour, 6 * colours + 6
    return earlier + parents + 8 * len(DIFFERENCES) + CONSTANTS


class ColourContext(nn.Module):
    """The four steps of one colour at one level, as one network of four groups.

    A step's weights for phases that it may not know are held at zero. With `rounded`, weights and
    activations are rounded as in the integer form, and gradients pass straight through.
    """

    known: Tensor

    def __init__(self, given: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(given + 24, 4 * hidden, 3, padding=1)
        self.direct = nn.Conv2d(given + 24, 4 * 3 * OUTPUTS, 3, padding=1, bias=False)
        self.second = nn.Conv2d(4 * hidden, 4 * hidden, 3, padding=1, groups=4)
        self.third = nn.Conv2d(4 * hidden, 4 * hidden, 1, groups=4)
        self.last = nn.Conv2d(4 * hidden, 4 * 3 * OUTPUTS, 1, groups=4)
        self.register_buffer("known", known_weights(given), persistent=False)
        self.rounded = False
        nn.init.zeros_(self.direct.weight)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(
        self, given: Float[Tensor, "n given h w"], own: Float[Tensor, "n 24 h w"]
    ) -> Float[Tensor, "n steps 3 outputs h w"]:
        """Outputs of all four steps, in the order of `PHASES`, for the three bands."""
        x = self._inputs(torch.cat([given, own], dim=1))
        w = self.weights()
        h = self._cut(functional.conv2d(x, w["first"], self.first.bias, padding=1))
        h = self._cut(functional.conv2d(h, w["second"], self.second.bias, padding=1, groups=4))
        h = self._cut(functional.conv2d(h, w["third"], self.third.bias, groups=4))
        out = functional.conv2d(h, w["last"], self.last.bias, groups=4)
        out = out + functional.conv2d(x, w["direct"], padding=1)
        return out.float().view(len(x), 4, 3, OUTPUTS, *x.shape[2:])

    def weights(self) -> dict[str, Tensor]:
        """Weights as they are used, by layer."""
        out = {}
        for name in ("first", "direct", "second", "third", "last"):
            weight: Tensor = getattr(self, name).weight
            if name in ("first", "direct"):
                known = self.known.repeat_interleave(len(weight) // 4, 0)
                weight = weight * known[:, :, None, None]
            out[name] = weight
        if self.rounded:
            for name, shift in shifts_of(out).items():
                unit = torch.exp2(-shift)[:, None, None, None]
                out[name] = _straight(out[name], (out[name] / unit).round() * unit)
        return out

    def _inputs(self, x: Tensor) -> Tensor:
        x = (x / UNIT).round() * UNIT if self.rounded else x
        return x.contiguous(memory_format=torch.channels_last)

    def _cut(self, x: Tensor) -> Tensor:
        """max(x, 0), cut off at `LARGEST_ACTIVATION`."""
        x = functional.hardtanh(x, 0, LARGEST_ACTIVATION)
        return _straight(x, (x / UNIT).round() * UNIT) if self.rounded else x


def shifts_of(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """For each layer and output channel, the number of fraction bits of its weights: the most that
    `LARGEST_WEIGHT` allows. `direct` and `last` add up, so they share theirs."""
    largest = {name: w.detach().abs().flatten(1).amax(1) for name, w in weights.items()}
    both = torch.maximum(largest["direct"], largest["last"])
    largest |= {"direct": both, "last": both}
    return {
        name: torch.log2(LARGEST_WEIGHT / peak.clamp_min(1e-9)).floor().clamp(*SHIFTS)
        for name, peak in largest.items()
    }


def _straight(x: Tensor, value: Tensor) -> Tensor:
    """`value`, exactly, with the gradient of `x`."""
    return value + (x - x.detach()) if torch.is_grad_enabled() else value


def known_weights(given: int) -> Float[Tensor, "4 inputs"]:
    """For each step, which input channels it knows: 1 or 0. `own` is last: signed, unsigned."""
    own = torch.zeros(4, 2, 3, 4)
    for step in range(4):
        own[step, :, :, list(PHASES[:step])] = 1
    return torch.cat([torch.ones(4, given), own.flatten(1)], dim=1)


def network_of_level(finest: int) -> int:
    """Index of the network of a level, counted from the finest, which is 0."""
    return min(finest, OWN_NETWORKS)


class ContextModel(nn.Module):
    """Networks of all levels and colours. colours: 1 (grey) or 3."""

    def __init__(self, colours: int = 3, hidden: tuple[int, ...] = HIDDEN) -> None:
        super().__init__()
        self.colours = colours
        self.networks = nn.ModuleList(
            nn.ModuleList(
                ColourContext(given_channels(colours, colour), hidden[colour])
                for colour in range(colours)
            )
            for _ in range(OWN_NETWORKS + 1)
        )

    def set_rounded(self, rounded: bool) -> None:
        """Whether weights and activations are rounded as in the integer form."""
        for module in self.modules():
            if isinstance(module, ColourContext):
                module.rounded = rounded

    def outputs(
        self, symbols: Pyramid, log2_step: Float[Tensor, " n"]
    ) -> list[Float[Tensor, "outputs n colours 3 _ _"]]:
        """Outputs for all bands, coarse to fine."""
        low, parents, grandparents = symbols.low, None, None
        out = []
        for number, bands in enumerate(symbols.bands):
            finest = len(symbols.bands) - 1 - number
            outputs = self.level(bands, low, parents, grandparents, log2_step, finest)
            out.append(outputs.movedim(3, 0).float())
            if finest:
                size = symbols.bands[number + 1].shape[3:]
                low = wavelet.synthesize_level(low, bands, (size[0], size[1]))
            parents, grandparents = bands, parents
        return out

    def level(
        self,
        bands: Float[Tensor, "n colours 3 h w"],
        low: Float[Tensor, "n colours h w"],
        parents: Float[Tensor, "n colours 3 hp wp"] | None,
        grandparents: Float[Tensor, "n colours 3 hg wg"] | None,
        log2_step: Float[Tensor, " n"],
        finest: int,
    ) -> Float[Tensor, "n colours 3 outputs h w"]:
        """Outputs for every symbol of a level, from the symbols themselves.

        bands, parents, grandparents: symbols. low: the low band of this grid in steps.
        finest: number of the level, counted from the finest, which is 0.
        """
        size = (int(bands.shape[3]), int(bands.shape[4]))
        shared = shared_maps(self.colours, parents, log2_step, finest, cells_of(size))
        done: list[Tensor] = []
        out = []
        for colour, network in enumerate(self.networks[network_of_level(finest)]):  # type: ignore
            own = signed_and_not(fold(bands[:, colour]))
            given = [
                *done,
                shared,
                grand_maps(grandparents, colour, cells_of(size), own),
                signed_and_not(fold(slopes(low[:, colour : colour + 1]))),
            ]
            raw = network(torch.cat(given, 1), own)
            done.append(own)
            steps = [raw[:, PHASES.index(phase)] for phase in range(4)]
            maps = torch.stack(steps, dim=3).flatten(1, 3)
            out.append(unfold(maps, size).view(len(bands), 3, OUTPUTS, *size))
        return torch.stack(out, dim=1)


def shared_maps(
    colours: int,
    parents: Float[Tensor, "n colours 3 h w"] | None,
    log2_step: Float[Tensor, " n"],
    finest: int,
    cells: tuple[int, int],
) -> Float[Tensor, "n c h w"]:
    """Maps that all colours of a level see: constants and parents."""
    n = len(log2_step)
    inside = log2_step.new_ones(n, 1, *cells)
    constants = [inside, (log2_step + 4)[:, None, None, None] * inside, inside * (finest - 4)]
    if parents is None:
        family = log2_step.new_zeros(n, 6 * colours, *cells)
    else:
        family = signed_and_not(parents.flatten(1, 2))
    return torch.cat([*constants, family], 1)


def grand_maps(
    grandparents: Float[Tensor, "n colours 3 h w"] | None,
    colour: int,
    cells: tuple[int, int],
    like: Tensor,
) -> Float[Tensor, "n 6 _ _"]:
    """Maps of the level two coarser, of one colour."""
    if grandparents is None:
        return like.new_zeros(like.shape[0], 6, *cells)
    return signed_and_not(doubled(grandparents[:, colour], cells))
