"""What a profile of the codec has to do for a decoder.

A profile is a package (`mlp`, `grid`) with a class that has these methods, in its module `profile`,
and one line in the registry `decoder.PROFILES`. Its encoder has an interface and a registry of its
own (`encoder.profiles`), so that decoding imports no encoder code.
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
"""Payloads of a file's sections, by id."""


@dataclass(frozen=True, kw_only=True)
class LayerInfo:
    """One layer of a file's network that has coefficients.

    weights: numbers that the coefficients generate. q_step: quantization step of the coefficients.
    row: row of the probability tables. bits: ideal code length of the symbols.
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
    of each symbol. cell: side, in pixels, of the square that a place of the grid stands for.
    """

    name: str
    colour: int
    cell: int
    symbols: Shaped[np.ndarray, "bands h w"]
    symbol_bits: Shaped[np.ndarray, "bands h w"]

    @property
    def bits(self) -> float:
        """Ideal code length of all symbols."""
        return float(self.symbol_bits.sum(dtype=np.float64))


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a profile says of a file's sections.

    layers: of its network. levels: of its latents. prefix_bytes: how many of the file's first bytes
    hold the approximation and 0, 1, 2 ... levels; empty where a prefix cannot be decoded.
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
        header that states what cannot be.
        """

    def most_halvings(self, header: Header) -> int:
        """How often `decode(reduce=)` may halve the image."""

    def render(
        self, header: Header, sections: Sections, view: View, device: torch.device
    ) -> Float[Tensor, "h w colours"]:
        """Samples of a view, about [0, 1], not clipped."""

    def contents(self, header: Header, sections: Sections) -> Contents:
        """The symbols of networks and latents, with their ideal code lengths."""
