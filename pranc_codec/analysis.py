"""What a viewer shows of a file: its header, where its bytes go, its network layer by layer."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pranc_codec import bitstream, coordinate, entropy
from pranc_codec.bitstream import Header, Limits
from pranc_codec.decoder import DEFAULT_LIMITS, network_shape, open_file, read_symbols


@dataclass(frozen=True, kw_only=True)
class LayerInfo:
    """One layer of a file's network, for viewers."""

    name: str
    weights: int
    coefficients: int
    step: float
    row: int
    bits: float
    symbols: npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What is in a file: bytes of each part, and the network layer by layer."""

    header: Header
    file_bytes: int
    bpp: float
    part_bytes: dict[str, int]
    layers: tuple[LayerInfo, ...]


def inspect(data: bytes) -> Header:
    """What the header says; the rest of the file is not needed and not looked at."""
    return bitstream.unpack_header(bytes(data))


def analyze(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Analysis:
    """Take a file apart: where its bytes go, and the network's layers with their symbols."""
    header, sections = open_file(data, limits)
    parts = {"header": header.header_bytes}
    parts |= {bitstream.SECTION_NAMES[n]: len(payload) for n, payload in sections.items()}
    parts["framing"] = len(data) - sum(parts.values())
    sizes = coordinate.layer_sizes(network_shape(header))
    names = [*(f"hidden {i + 1}" for i in range(header.parameters.depth)), "output"]
    layers = tuple(
        LayerInfo(
            name=name,
            weights=size,
            coefficients=len(symbols),
            step=code.step,
            row=code.row,
            bits=entropy.code_length_bits(symbols, code.row),
            symbols=symbols,
        )
        for name, size, symbols, code in zip(
            names, sizes, read_symbols(header, sections), header.parameters.layers, strict=True
        )
    )
    return Analysis(
        header=header,
        file_bytes=len(data),
        bpp=8 * len(data) / header.pixels,
        part_bytes=parts,
        layers=layers,
    )
