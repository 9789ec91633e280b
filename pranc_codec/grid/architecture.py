"""The architecture of a prior's networks. Each prior's file states it, so priors can differ.

The metadata of a prior's safetensors file holds an `Architecture` as JSON under the key
"architecture". A file without that key has architecture number 1 with the default sizes of this
module: the first priors were written before sizes could differ.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from pranc_codec.errors import CorruptBitstream, UnsupportedVersion

METADATA_KEY: Final = "architecture"
KNOWN_NUMBERS: Final = (1,)
"""1: the context model of `context` (four independent phase networks per colour and level) and the
enhancement network of `enhancement`."""
MEAN_WINDOW: Final = 5
"""Side, in cells, of the window whose mean is subtracted from the enhancement network's input."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Sizes of the networks of a prior.

    number: which code runs the networks; one of `KNOWN_NUMBERS`.
    context_hidden: hidden channels of a phase's context network, for each of the three colours.
    own_levels: how many of the finest levels have context networks of their own; all coarser
        levels share one more set.
    enhancement_channels: hidden channels of the enhancement network.
    enhancement_middle_layers: number of its 3x3 layers between the first and the last. It is even,
        because two layers make a residual block.
    """

    number: int = 1
    context_hidden: tuple[int, int, int] = (64, 32, 32)
    own_levels: int = 3
    enhancement_channels: int = 64
    enhancement_middle_layers: int = 4

    @property
    def network_sets(self) -> int:
        """Number of sets of context networks: one for each own level, and one for all others."""
        return self.own_levels + 1

    def network_of_level(self, finest: int) -> int:
        """Return the index of a level's set of context networks; finest: 0 for the finest level."""
        return min(finest, self.own_levels)

    @property
    def enhancement_reach(self) -> int:
        """How many cells away in each direction an input may lie that influences a correction."""
        return self.enhancement_middle_layers + 2 + MEAN_WINDOW // 2

    def to_metadata(self) -> dict[str, str]:
        """Return metadata for a prior's safetensors file; `from_metadata` is the inverse."""
        return {METADATA_KEY: json.dumps(asdict(self))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> "Architecture":
        """Return the architecture that a prior's file states.

        Raises UnsupportedVersion if this release has no code for it.
        """
        if METADATA_KEY not in metadata:
            return cls()
        stated: dict[str, Any] = json.loads(metadata[METADATA_KEY])
        number, known = stated.get("number"), {f.name for f in fields(cls)}
        if number not in KNOWN_NUMBERS or not stated.keys() <= known:
            raise UnsupportedVersion(
                f"the prior has architecture {number} with {', '.join(sorted(stated))}; this "
                f"release runs architectures {KNOWN_NUMBERS}: upgrade pranc_codec"
            )
        hidden = tuple(stated.get("context_hidden", cls.context_hidden))
        if len(hidden) != 3 or stated.get("enhancement_middle_layers", 0) % 2:
            raise CorruptBitstream(f"the prior states impossible sizes: {stated}")
        return cls(**stated | dict(context_hidden=hidden))


ARCHITECTURE_1: Final = Architecture()
"""Architecture 1 with the sizes of the first priors, whose files state none."""
