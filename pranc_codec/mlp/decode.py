"""Decode the mlp profile: header and symbols -> coefficients -> network -> samples."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.basis.allocation import apportion
from pranc_codec.entropy import range_coder
from pranc_codec.errors import CorruptBitstream, InvalidArgument
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.format.parameters import MlpParameters
from pranc_codec.limits import Limits, refuse
from pranc_codec.mlp import coordinate_network, prior as priors
from pranc_codec.pranc.model import Pranc
from pranc_codec.precision import float32_everywhere
from pranc_codec.view import View

ENTRY_MULTIPLICATIONS: Final = 64
"""Cost of generating one entry of a dense basis, in multiplications."""


def check_limits(header: Header, limits: Limits, pixels: int) -> None:
    """Refuse a file that would cost too much, before anything is allocated.

    pixels: number of pixels that are rendered.
    """
    shape, p = network_shape(header), header.mlp
    refuse("network weights", shape.weights, limits.max_weights)
    refuse("multiplications", shape.weights * pixels, limits.max_macs)
    if not len(p.layers) <= p.k <= shape.weights:
        raise CorruptBitstream(f"{p.k} coefficients do not fit {shape.weights} weights")
    macs = multiplications(coordinate_network.layer_sizes(shape), p.k, p.basis, pixels)
    refuse("multiplications", macs, limits.max_macs)


def multiplications(sizes: Sequence[int], k: int, basis: str, pixels: int) -> int:
    """Return how many multiplications decoding takes.

    It evaluates the network and, if the basis is dense, generates the basis. sizes: number of
    weights of each layer. k: number of coefficients of all layers.
    """
    macs = sum(sizes) * pixels
    if basis == "dense":
        entries = sum(size * own for size, own in zip(sizes, apportion(k, sizes), strict=True))
        macs += ENTRY_MULTIPLICATIONS * entries
    return macs


def network_shape(header: Header) -> coordinate_network.Shape:
    """Return the size of the network that a header states."""
    p = header.mlp
    return coordinate_network.Shape(
        features=p.features,
        bandwidth=bandwidth_of_code(p.bandwidth),
        width=p.width,
        depth=p.depth,
        colours=header.colours,
    )


def bandwidth_of_code(code: int) -> float:
    """Return the largest frequency of the features, 2**(code / 16) radians, for a header's byte."""
    return float(2.0 ** (code / 16))


def read_symbols(header: Header, sections: dict[int, bytes]) -> list[range_coder.Integers]:
    """Decode the symbols of a file, one array for each layer."""
    p = header.mlp
    counts = apportion(p.k, coordinate_network.layer_sizes(network_shape(header)))
    groups = [(count, layer.row) for count, layer in zip(counts, p.layers, strict=True)]
    return range_coder.decode_canonical_symbols(sections[bitstream.SYMBOLS], groups)


def build_network(
    shape: coordinate_network.Shape, p: MlpParameters, seed: int, *, cache: bool
) -> Pranc:
    """Build the coordinate network with PRANC weights around its prior; all coefficients are zero.

    cache: keep bases and priors in memory (see `Pranc`).
    """
    return Pranc(
        coordinate_network.CoordinateMLP(shape, seed=seed),
        coefficients=p.k,
        seed=seed,
        basis=p.basis,
        shares="weights",
        prior=priors.load(p.prior, shape, seed=seed),
        scales=coordinate_network.scales(shape),
        cache=cache,
    )


def dequantize(symbols: list[range_coder.Integers], p: MlpParameters) -> Float[Tensor, " k"]:
    """Return the coefficients: symbols times the quantization step of their layer."""
    parts = [
        torch.from_numpy(s.astype(np.float32)) * layer.q_step
        for s, layer in zip(symbols, p.layers, strict=True)
    ]
    return torch.cat(parts)


def network_of(
    header: Header, sections: dict[int, bytes], device: torch.device
) -> coordinate_network.CoordinateMLP:
    """Build the network of a file, with plain weights."""
    shape = network_shape(header)
    with float32_everywhere(), torch.no_grad():
        pranc = build_network(shape, header.mlp, header.seed, cache=False)
        pranc.set_coefficients(dequantize(read_symbols(header, sections), header.mlp))
        network = coordinate_network.CoordinateMLP(shape, seed=header.seed)
        network.load_state_dict(pranc.weights())
    return network.to(device)


def render(
    header: Header, sections: dict[int, bytes], view: View, device: torch.device
) -> Float[Tensor, "h w colours"]:
    """Render the samples of a view at any resolution, not clipped."""
    if view.levels is not None:
        raise InvalidArgument("only files of the grid profile have levels, this is mlp: use size")
    network, channels = network_of(header, sections, device), network_shape(header).channels
    return coordinate_network.render(network, view.size, view.region, device, channels=channels)
