"""What a viewer shows of a file: its header, where its bytes go, network and latents."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pranc_codec import bitstream, coordinate, entropy, grid, grid_latents, latents, mlp
from pranc_codec.bitstream import Header
from pranc_codec.decoder import open_file
from pranc_codec.limits import DEFAULT_LIMITS, Limits
from pranc_codec.sections import payload_start


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
    """The symbols of one colour at one level of a grid file (colour, then 3 bands or 1)."""

    name: str
    colour: int
    bits: float
    symbols: npt.NDArray[np.int32]


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
    """Of a grid file: how many of its first bytes hold the low band and 0, 1, 2 ... levels."""


def inspect(data: bytes) -> Header:
    """What the header says; the rest of the file is not needed and not looked at."""
    return bitstream.unpack_header(bytes(data))


def analyze(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Analysis:
    """Take a file apart: where its bytes go, and the symbols of networks and latents."""
    header, sections = open_file(data, limits)
    parts = {"header": header.header_bytes}
    parts |= {bitstream.SECTION_NAMES[n]: len(payload) for n, payload in sections.items()}
    parts["framing"] = len(data) - sum(parts.values())
    is_mlp = header.profile == "mlp"
    levels, prefixes = ((), ()) if is_mlp else _levels(header, sections, len(data))
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
    sizes = coordinate.layer_sizes(mlp.network_shape(header))
    rows = zip(names, sizes, mlp.read_symbols(header, sections), header.mlp.layers, strict=True)
    return tuple(_layer(name, size, s, code.step, code.row) for name, size, s, code in rows)


def _residual_layers(header: Header, sections: dict[int, bytes]) -> tuple[LayerInfo, ...]:
    layer = header.grid.layer
    if layer is None:
        return ()
    symbols = grid.read_coefficient_symbols(header.grid, sections)
    return (_layer("offsets", grid.offsets_count(), symbols, layer.step, layer.row),)


def _layer(name: str, weights: int, symbols: entropy.Integers, step: float, row: int) -> LayerInfo:
    return LayerInfo(
        name=name,
        weights=weights,
        coefficients=len(symbols),
        step=step,
        row=row,
        bits=entropy.code_length_bits(symbols, row),
        symbols=symbols,
    )


class _Count:
    """A watcher that sums up ideal code lengths, and bytes of the stream, by level."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.held = grid_latents.Held(header)
        self.bits: dict[tuple[int, int], float] = {}
        self.bytes_needed: dict[int, int] = {}
        """By number of levels."""

    def low(self, planes: entropy.Integers) -> None:
        self.held.low(planes)
        self.bytes_needed[0] = self.held.bytes_needed
        for colour, (plane, row) in enumerate(zip(planes, self.header.grid.low_rows, strict=True)):
            differences = grid_latents.low_differences(plane).reshape(-1)
            self.bits[-1, colour] = entropy.code_length_bits(differences, row)

    def step(
        self, d: latents.Distributions, key: tuple[int, ...], symbols: entropy.Integers
    ) -> None:
        self.held.step(d, key, symbols)
        self.bytes_needed[key[0] + 1] = self.held.bytes_needed
        length = float(latents.code_lengths_bits(symbols, d).sum(dtype=np.float64))
        self.bits[key[0], key[1]] = self.bits.get((key[0], key[1]), 0.0) + length


def _levels(
    header: Header, sections: dict[int, bytes], file_bytes: int
) -> tuple[tuple[LevelInfo, ...], tuple[int, ...]]:
    """Low band and bands, coarse to fine, colour by colour; and how many bytes hold so much."""
    count = _Count(header)
    pyramid = grid_latents.read_pyramid(header, sections, torch.device("cpu"), watcher=count)
    names = ["low", *(f"level {n}" for n in range(len(pyramid.bands), 0, -1))]
    out = []
    for number, (name, symbols) in enumerate(zip(names, pyramid.tensors, strict=True)):
        for colour in range(header.colours):
            own = symbols[0, colour].numpy()
            out.append(
                LevelInfo(
                    name=name,
                    colour=colour,
                    bits=count.bits.get((number - 1, colour), 0.0),
                    symbols=own if own.ndim == 3 else own[None],
                )
            )
    start = payload_start(sections, header, bitstream.LATENTS)
    needed = (start + count.bytes_needed[n] for n in sorted(count.bytes_needed))
    return tuple(out), tuple(min(n, file_bytes) for n in needed)
