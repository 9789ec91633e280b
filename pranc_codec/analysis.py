"""What a viewer shows of a file: its header, where its bytes go, network and latents."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pranc_codec import bitstream, coordinate, entropy, grid, latents, mlp
from pranc_codec.bitstream import Header
from pranc_codec.decoder import open_file
from pranc_codec.limits import DEFAULT_LIMITS, Limits


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
    return Analysis(
        header=header,
        file_bytes=len(data),
        bpp=8 * len(data) / header.pixels,
        part_bytes=parts,
        layers=_mlp_layers(header, sections) if is_mlp else _residual_layers(header, sections),
        levels=() if is_mlp else _levels(header, sections),
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


def _levels(header: Header, sections: dict[int, bytes]) -> tuple[LevelInfo, ...]:
    """Low band and bands, coarse to fine, colour by colour, with their ideal code lengths."""
    bits: dict[tuple[int, int], float] = {}

    def count(d: latents.Distributions, key: tuple[int, ...], symbols: entropy.Integers) -> None:
        place = (key[0], key[1])
        length = float(latents.code_lengths_bits(symbols, d).sum(dtype=np.float64))
        bits[place] = bits.get(place, 0.0) + length

    pyramid = grid.read_pyramid(header, sections, torch.device("cpu"), watch=count)
    out = []
    for colour, row in enumerate(header.grid.low_rows):
        plane = pyramid.low[0, colour].numpy()
        differences = grid.low_differences(plane).reshape(-1)
        length = entropy.code_length_bits(differences, row)
        out.append(LevelInfo(name="low", colour=colour, bits=length, symbols=plane[None]))
    for number, bands in enumerate(pyramid.bands):
        for colour in range(header.colours):
            out.append(
                LevelInfo(
                    name=f"level {len(pyramid.bands) - number}",
                    colour=colour,
                    bits=bits.get((number, colour), 0.0),
                    symbols=bands[0, colour].numpy(),
                )
            )
    return tuple(out)
