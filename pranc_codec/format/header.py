"""The dataclass of a file's header, which `bitstream` packs and unpacks."""

from dataclasses import dataclass, field
from typing import Final

from pranc_codec.format.parameters import GridParameters, MlpParameters, Parameters

VERSION: Final = 1
"""The format version that is written. `bitstream` lists all versions that can be read."""
CHANNELS: Final = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
"""Number of channels of each mode, alpha included."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """Everything that precedes the sections of a file.

    version: format version. profile: "mlp" or "grid". mode: the channels, as Pillow names them: L,
    LA, RGB or RGBA. samples: the type that `decode_array` returns: uint8, uint16 or float32. width,
    height: in pixels. seed: key of all pseudo-random numbers. sections: number of sections.
    parameters: those of the profile. header_bytes: length of the header in the file that it was
    read from, signature included; 0 for a header that was not read from a file.
    """

    version: int = VERSION
    profile: str
    mode: str
    samples: str
    width: int
    height: int
    seed: int
    sections: int
    parameters: Parameters
    header_bytes: int = field(default=0, compare=False)

    @property
    def colours(self) -> int:
        """Number of channels without alpha: 1 or 3."""
        return CHANNELS[self.mode] - self.has_alpha

    @property
    def has_alpha(self) -> bool:
        """Whether the image has an alpha channel."""
        return self.mode in ("LA", "RGBA")

    @property
    def has_symbols(self) -> bool:
        """Whether the file has coefficients. A file of the mlp profile always does."""
        return self.parameters.k > 0

    @property
    def pixels(self) -> int:
        """Number of pixels of the image."""
        return self.width * self.height

    @property
    def mlp(self) -> MlpParameters:
        """Parameters of a file of the mlp profile."""
        assert isinstance(self.parameters, MlpParameters)
        return self.parameters

    @property
    def grid(self) -> GridParameters:
        """Parameters of a file of the grid profile."""
        assert isinstance(self.parameters, GridParameters)
        return self.parameters
