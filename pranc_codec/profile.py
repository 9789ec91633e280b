"""The interface between a profile of the codec and the decoder.

A profile is a package (`mlp`, `grid`). Its module `profile` has a class with the methods of
`DecoderProfile`, and the registry `decoder.PROFILES` has one line for it. Its number is in
`format.bitstream.PROFILES`, and its part of the header in `format.parameters.FORMATS`.
Encoders have their own interface and registry (`encoder.profiles`), so that decoding imports no
encoder code.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pranc_codec.errors import renamed_attribute
from pranc_codec.format.bitstream import Header
from pranc_codec.limits import Limits
from pranc_codec.view import View

Sections = dict[int, bytes]
"""The payloads of a file's sections, by section id."""


@dataclass(frozen=True, kw_only=True)
class LayerInfo:
    """One layer of a file's network that has coefficients.

    weights: how many weights the coefficients generate. q_step: quantization step of the
    coefficients. row: index of the row of the probability tables that codes the symbols. bits:
    ideal code length of the symbols.
    """

    name: str
    weights: int
    coefficients: int
    q_step: float
    row: int
    bits: float
    symbols: npt.NDArray[np.int32]

    step = renamed_attribute("step", "q_step")


@dataclass(frozen=True, kw_only=True)
class LevelInfo:
    """The symbols of one colour at one level of a grid file.

    symbols: (bands, h, w) with 3 bands, or 1 for the approximation. symbol_bits: ideal code length
    in bits of each symbol. cell: side in pixels of the square that one position of the level's grid
    stands for.
    """

    name: str
    colour: int
    cell: int
    symbols: Shaped[np.ndarray, "bands h w"]
    symbol_bits: Shaped[np.ndarray, "bands h w"]

    @property
    def bits(self) -> float:
        """Ideal code length of all symbols, in bits."""
        return float(self.symbol_bits.sum(dtype=np.float64))


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The contents of a file's sections, as its profile reads them.

    layers: the layers of its network. levels: the levels of its latents. prefix_bytes: lengths of
    the file's prefixes that hold the approximation and 0, 1, 2 ... levels; empty if prefixes cannot
    be decoded.
    """

    layers: tuple[LayerInfo, ...]
    levels: tuple[LevelInfo, ...] = ()
    prefix_bytes: tuple[int, ...] = ()


@runtime_checkable
class DecoderProfile(Protocol):
    """Decoding, limits and analysis of the files of one profile."""

    @property
    def progressive(self) -> bool:
        """Whether the beginning of a file can be decoded to a smaller or softer picture."""

    def check_limits(self, header: Header, limits: Limits, pixels: int) -> None:
        """Refuse a file that would cost too much, before anything is allocated.

        pixels: number of pixels that are shown. Raises LimitExceeded, or CorruptBitstream for a
        header with impossible values.
        """

    def most_halvings(self, header: Header) -> int:
        """Return how often `decode(reduce=)` may halve the image."""

    def render(
        self, header: Header, sections: Sections, view: View, device: torch.device
    ) -> Float[Tensor, "h w colours"]:
        """Return the samples of a view. They lie near [0, 1] and are not clipped."""

    def contents(self, header: Header, sections: Sections) -> Contents:
        """Return the symbols of networks and latents, with their ideal code lengths."""
