"""Take a file apart for a viewer: its header, where its bytes go, its network and latents."""

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
    """Lengths of the prefixes of a grid file that hold the approximation and 0, 1, 2 ... levels.
    Empty for an mlp file, and for a file with alpha, because alpha follows the levels."""

    def bits_per_pixel(self) -> Float[np.ndarray, "h w"]:
        """Return how many bits of the latents each pixel of the picture takes.

        The bits of each symbol are spread evenly over the pixels that it stands for, so the sum
        over the picture is the sum of the levels' bits. A file without latents gives zeros.
        """
        size = (self.header.height, self.header.width)
        out = np.zeros(size)
        for level in self.levels:
            out += _spread(level.symbol_bits.sum(axis=0, dtype=np.float64), level.cell, size)
        return out


def inspect(data: bytes) -> Header:
    """Return the header of a file. The rest of the file is neither needed nor checked."""
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
    """Divide the bits of each position of a grid among the pixels that it stands for."""
    counts = [np.diff(np.append(np.arange(0, side, cell), side)) for side in size]
    share = bits / np.outer(*counts)
    return share.repeat(counts[0], axis=0).repeat(counts[1], axis=1)
