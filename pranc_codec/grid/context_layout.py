"""The inputs of the context model's networks: which maps there are, and in which order.

A network belongs to one colour. All its inputs are maps on the grid of 2x2 cells of the level that
is coded, in this order:

    earlier        for each earlier colour, its bands at this level: 24 maps per colour
    constants      1 inside the image and 0 in the padding; the quantization step,
                   log2(q_step) + 4; the level, counted from the finest, minus 4
    parents        the bands of the next coarser level, all colours: 6 maps per colour
    grandparents   the bands of the level after that, of this colour, upsampled: 6 maps
    gradients      differences of the approximation that the coarser levels give, of this colour:
                   four (`blocks.DIFFERENCES`) at four phases: 32 maps
    own            the bands of this colour at this level, as far as they are coded: 24 maps

Except for the constants, each group holds log-magnitudes with their sign, then the same maps
without a sign. Within each half the channels of bands are ordered by band, then by phase.

The weights of a prior are stored in this order. The integer form stores the maps of `earlier` and
`own` in another order, phase by phase as they become known. So the maps that a phase may know come
first and can be read as one slice. `known_channels` translates between the two orders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pranc_codec.grid.blocks import DIFFERENCES, PHASES

BANDS: Final = 3
SIGNED_AND_MAGNITUDE: Final = 2
OF_PHASE: Final = SIGNED_AND_MAGNITUDE * BANDS
"""Number of maps of one phase of a colour's bands."""
OF_BANDS: Final = len(PHASES) * OF_PHASE
"""Number of maps of all phases of a colour's bands."""
CONSTANTS: Final = 3


@dataclass(frozen=True, kw_only=True)
class ContextLayout:
    """The input maps of the networks of one colour. colours: number in the model, 1 or 3."""

    colours: int
    colour: int

    @property
    def channels(self) -> dict[str, int]:
        """Number of maps of each group, in the order of the groups."""
        return {
            "earlier": OF_BANDS * self.colour,
            "constants": CONSTANTS,
            "parents": OF_PHASE * self.colours,
            "grandparents": OF_PHASE,
            "gradients": SIGNED_AND_MAGNITUDE * len(DIFFERENCES) * len(PHASES),
            "own": OF_BANDS,
        }

    @property
    def total(self) -> int:
        """Total number of maps."""
        return sum(self.channels.values())

    @property
    def given(self) -> int:
        """Number of maps that are known before the colour's first phase: all but `own`."""
        return self.total - self.channels["own"]

    def span(self, group: str) -> slice:
        """Return where the maps of a group are among the inputs."""
        names = list(self.channels)
        start = sum(self.channels[name] for name in names[: names.index(group)])
        return slice(start, start + self.channels[group])

    def ordered(
        self,
        *,
        earlier: Sequence[Shaped[Tensor, "n 24 h w"]],
        constants: Shaped[Tensor, "n 3 h w"],
        parents: Shaped[Tensor, "n _ h w"],
        grandparents: Shaped[Tensor, "n 6 h w"],
        gradients: Shaped[Tensor, "n 32 h w"],
        own: Shaped[Tensor, "n 24 h w"],
    ) -> list[Tensor]:
        """Return all maps in the order of the inputs, to be concatenated. earlier: by colour."""
        return [*earlier, constants, parents, grandparents, gradients, own]

    def known_mask(self) -> Float[Tensor, "4 inputs"]:
        """Return which inputs each phase knows (1) or not (0); phases are in coding order."""
        own = torch.zeros(len(PHASES), SIGNED_AND_MAGNITUDE, BANDS, len(PHASES))
        for number in range(len(PHASES)):
            own[number, :, :, list(PHASES[:number])] = 1
        return torch.cat([torch.ones(len(PHASES), self.given), own.flatten(1)], dim=1)

    def known_channels(self, phase_number: int) -> list[int]:
        """Return the inputs that a phase knows, in the order in which the integer form stores them.

        phase_number: position of the phase in the coding order, 0 .. 3.
        """
        earlier = [
            channel
            for other in range(self.colour)
            for channel in _phase_by_phase(OF_BANDS * other, len(PHASES))
        ]
        own = _phase_by_phase(self.span("own").start, phase_number)
        return [*earlier, *range(len(earlier), self.given), *own]

    def own_span(self, phase_number: int) -> slice:
        """Return where the integer form stores the maps of one phase of the colour's own bands."""
        start = self.given + OF_PHASE * phase_number
        return slice(start, start + OF_PHASE)


def _phase_by_phase(first: int, phases: int) -> list[int]:
    """Return the channels of a colour's bands in the first `phases` coded phases.

    first: the first channel of these bands.
    """
    count = len(PHASES)
    return [first + count * band + phase for phase in PHASES[:phases] for band in range(OF_PHASE)]
