"""What a viewer shows of a file: its header, where its bytes go, network and latents."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pranc_codec.decoder import open_file, profile_of, read_header
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.limits import DEFAULT_LIMITS, Limits
from pranc_codec.profile import LayerInfo, LevelInfo


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What a file contains: bytes of each part, the network layer by layer, and the latents."""

    header: Header
    file_bytes: int
    bpp: float
    part_bytes: dict[str, int]
    layers: tuple[LayerInfo, ...]
    levels: tuple[LevelInfo, ...] = ()
    prefix_bytes: tuple[int, ...] = ()
    """How many of the first bytes of a grid file hold the approximation and 0, 1, 2 ... levels.
    Empty for a file with alpha, which stands behind the levels, and for an mlp file."""

    def bits_per_pixel(self) -> Float[np.ndarray, "h w"]:
        """Where in the picture the bits of the latents are.

        The bits of each symbol are spread evenly over the pixels of its place, so the sum is that
        of the levels' bits. Without latents all are zero.
        """
        size = (self.header.height, self.header.width)
        out = np.zeros(size)
        for level in self.levels:
            out += _spread(level.symbol_bits.sum(axis=0, dtype=np.float64), level.cell, size)
        return out


def inspect(data: bytes) -> Header:
    """What the header says. The rest of the file is neither needed nor checked."""
    return read_header(data)


def analyze(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Analysis:
    """Take a file apart: where its bytes go, and the symbols of networks and latents."""
    header, sections = open_file(data, limits)
    parts = {"header": header.header_bytes}
    parts |= {bitstream.SECTION_NAMES[n]: len(payload) for n, payload in sections.items()}
    parts["framing"] = len(data) - sum(parts.values())
    contents = profile_of(header).contents(header, sections)
    return Analysis(
        header=header,
        file_bytes=len(data),
        bpp=8 * len(data) / header.pixels,
        part_bytes=parts,
        layers=contents.layers,
        levels=contents.levels,
        prefix_bytes=contents.prefix_bytes,
    )


def _spread(
    bits: Float[np.ndarray, "rows columns"], cell: int, size: tuple[int, int]
) -> Float[np.ndarray, "h w"]:
    """Bits of the places of a grid, divided among the pixels that each place stands for."""
    counts = [np.diff(np.append(np.arange(0, side, cell), side)) for side in size]
    share = bits / np.outer(*counts)
    return share.repeat(counts[0], axis=0).repeat(counts[1], axis=1)
