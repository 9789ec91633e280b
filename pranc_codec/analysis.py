"""What a viewer shows of a file: its header, where its bytes go, network and latents."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Shaped

from pranc_codec.decoder import open_file, read_header
from pranc_codec.entropy import mixture_coder, range_coder
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.format.sections import payload_start
from pranc_codec.grid import decode as grid_decode, latent_stream, wavelet
from pranc_codec.grid.context import PHASES
from pranc_codec.limits import DEFAULT_LIMITS, Limits
from pranc_codec.mlp import coordinate_network, decode as mlp_decode


@dataclass(frozen=True, kw_only=True)
class LayerInfo:
    """One layer of a file's network that has coefficients, for viewers."""

    name: str
    weights: int
    coefficients: int
    step: float
    row: int
    bits: float
    symbols: npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class LevelInfo:
    """The symbols of one colour at one level of a grid file.

    symbols: (bands, h, w), 3 bands, or 1 at the low level. symbol_bits: ideal code length of each.
    cell: pixels a side that a place of the grid (h, w) stands for.
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
class Analysis:
    """What is in a file: bytes of each part, the network layer by layer, the latents."""

    header: Header
    file_bytes: int
    bpp: float
    part_bytes: dict[str, int]
    layers: tuple[LayerInfo, ...]
    levels: tuple[LevelInfo, ...] = ()
    prefix_bytes: tuple[int, ...] = ()
    """Of a grid file without alpha, which would follow: how many of its first bytes hold the low
    band and 0, 1, 2 ... levels."""

    def bits_per_pixel(self) -> Float[np.ndarray, "h w"]:
        """Where in the picture the latents' bits are: each symbol's bits, spread evenly over the
        pixels of its place. The sum is that of the levels' bits; zero without latents."""
        size = (self.header.height, self.header.width)
        out = np.zeros(size)
        for level in self.levels:
            out += _spread(level.symbol_bits.sum(axis=0, dtype=np.float64), level.cell, size)
        return out


def inspect(data: bytes) -> Header:
    """What the header says; the rest of the file is not needed and not looked at."""
    return read_header(data)


def analyze(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Analysis:
    """Take a file apart: where its bytes go, and the symbols of networks and latents."""
    header, sections = open_file(data, limits)
    parts = {"header": header.header_bytes}
    parts |= {bitstream.SECTION_NAMES[n]: len(payload) for n, payload in sections.items()}
    parts["framing"] = len(data) - sum(parts.values())
    is_mlp = header.profile == "mlp"
    levels, prefixes = ((), ()) if is_mlp else _levels(header, sections)
    return Analysis(
        header=header,
        file_bytes=len(data),
        bpp=8 * len(data) / header.pixels,
        part_bytes=parts,
        layers=_mlp_layers(header, sections) if is_mlp else _residual_layers(header, sections),
        levels=levels,
        prefix_bytes=prefixes,
    )


def _mlp_layers(header: Header, sections: dict[int, bytes]) -> tuple[LayerInfo, ...]:
    names = [*(f"hidden {i + 1}" for i in range(header.mlp.depth)), "output"]
    sizes = coordinate_network.layer_sizes(mlp_decode.network_shape(header))
    rows = zip(
        names, sizes, mlp_decode.read_symbols(header, sections), header.mlp.layers, strict=True
    )
    return tuple(_layer(name, size, s, code.q_step, code.row) for name, size, s, code in rows)


def _residual_layers(header: Header, sections: dict[int, bytes]) -> tuple[LayerInfo, ...]:
    layer = header.grid.layer
    if layer is None:
        return ()
    symbols = grid_decode.read_coefficient_symbols(header.grid, sections)
    return (_layer("offsets", grid_decode.offsets_count(), symbols, layer.q_step, layer.row),)


def _layer(
    name: str, weights: int, symbols: range_coder.Integers, step: float, row: int
) -> LayerInfo:
    return LayerInfo(
        name=name,
        weights=weights,
        coefficients=len(symbols),
        step=step,
        row=row,
        bits=range_coder.code_length_bits(symbols, row),
        symbols=symbols,
    )


class _Watch:
    """A watcher that keeps ideal code lengths by place, and bytes of the stream by level."""

    def __init__(self, header: Header) -> None:
        self.header, self.held = header, latent_stream.Held(header)
        grids = wavelet.grids(header.height, header.width)
        self._below = [*grids[1:], (header.height, header.width)]
        self.bits = [np.zeros((header.colours, 3, *grid), dtype=np.float32) for grid in grids]
        self.bytes_needed: dict[int, int] = {}
        """By number of levels."""

    def low(self, planes: range_coder.Integers) -> None:
        self.held.low(planes)
        self.bytes_needed[0] = self.held.bytes_needed

    def step(
        self, d: mixture_coder.Distributions, key: tuple[int, ...], symbols: range_coder.Integers
    ) -> None:
        self.held.step(d, key, symbols)
        number, colour, step = key
        self.bytes_needed[number + 1] = self.held.bytes_needed
        dy, dx = divmod(PHASES[step], 2)
        coded = wavelet.present(*self._below[number])[:, dy::2, dx::2].numpy()
        self.bits[number][colour, :, dy::2, dx::2][coded] = mixture_coder.code_lengths_bits(
            symbols, d
        )


def _levels(
    header: Header, sections: dict[int, bytes]
) -> tuple[tuple[LevelInfo, ...], tuple[int, ...]]:
    """Low band and bands, coarse to fine, colour by colour, with their ideal code lengths; and how
    many bytes of the file hold so much."""
    watch = _Watch(header)
    pyramid = latent_stream.read_pyramid(header, sections, torch.device("cpu"), watcher=watch)
    count = len(pyramid.bands)
    bands = tuple(
        LevelInfo(
            name=f"level {count - number}",
            colour=colour,
            cell=1 << (count - number),
            symbols=pyramid.bands[number][0, colour].numpy(),
            symbol_bits=watch.bits[number][colour],
        )
        for number in range(count)
        for colour in range(header.colours)
    )
    start = payload_start(sections, header, bitstream.LATENTS)
    most = len(sections[bitstream.LATENTS])
    needed = (start + min(watch.bytes_needed[n], most) for n in sorted(watch.bytes_needed))
    prefixes = () if header.has_alpha else tuple(needed)
    return _low_levels(header, pyramid.low[0].numpy()) + bands, prefixes


def _low_levels(header: Header, low: range_coder.Integers) -> tuple[LevelInfo, ...]:
    """The low band, whose differences are coded."""
    cell = 1 << wavelet.levels_of(header.height, header.width)
    rows = enumerate(header.grid.low_rows)
    costs = [
        range_coder.code_lengths_bits(latent_stream.low_differences(low[colour]), row)
        for colour, row in rows
    ]
    return tuple(
        LevelInfo(
            name="low", colour=colour, cell=cell, symbols=low[colour][None], symbol_bits=cost[None]
        )
        for colour, cost in enumerate(costs)
    )


def _spread(
    bits: Float[np.ndarray, "rows columns"], cell: int, size: tuple[int, int]
) -> Float[np.ndarray, "h w"]:
    """Bits of the places of a grid, divided among the pixels that each stands for."""
    counts = [np.diff(np.append(np.arange(0, side, cell), side)) for side in size]
    share = bits / np.outer(*counts)
    return share.repeat(counts[0], axis=0).repeat(counts[1], axis=1)
