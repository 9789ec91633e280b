"""What a grid file contains: its symbols, their ideal code lengths, and the bytes of its levels."""

import numpy as np
import torch

from pranc_codec.entropy import mixture_coder, range_coder
from pranc_codec.entropy.range_coder import Integers
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.format.sections import payload_start
from pranc_codec.grid import decode, prior as priors, wavelet
from pranc_codec.grid.blocks import PHASES
from pranc_codec.grid.latent_stream import (
    PrefixGuard,
    approximation_differences,
    read_pyramid,
)
from pranc_codec.profile import Contents, LayerInfo, LevelInfo, Sections


def contents_of(header: Header, sections: Sections) -> Contents:
    """Return the enhancement network's coefficients, and the latents level by level."""
    recorder = _CodeLengths(header)
    pyramid = read_pyramid(header, sections, torch.device("cpu"), observer=recorder)
    count = len(pyramid.bands)
    bands = tuple(
        LevelInfo(
            name=f"level {count - number}",
            colour=colour,
            cell=1 << (count - number),
            symbols=pyramid.bands[number][0, colour].numpy(),
            symbol_bits=recorder.bits[number][colour],
        )
        for number in range(count)
        for colour in range(header.colours)
    )
    return Contents(
        layers=_bias_layers(header, sections),
        levels=_approximation_levels(header, pyramid.approximation[0].numpy()) + bands,
        prefix_bytes=_prefix_bytes(header, sections, recorder.bytes_needed),
    )


class _CodeLengths:
    """A `DecodeObserver` that records code lengths.

    bits: the ideal code length of each symbol. bytes_needed: the bytes of the stream that the N
    coarsest levels need, by N.
    """

    def __init__(self, header: Header) -> None:
        self._guard = PrefixGuard(header)
        below = wavelet.sizes_below(header.height, header.width)
        self._masks = [wavelet.coded_mask(*size).numpy() for size in below]
        self.bits = [
            np.zeros((header.colours, *mask.shape), dtype=np.float32) for mask in self._masks
        ]
        self.bytes_needed: dict[int, int] = {}

    def approximation(self, planes: Integers) -> None:
        self._guard.approximation(planes)
        self.bytes_needed[0] = self._guard.bytes_needed

    def phase(
        self, d: mixture_coder.Distributions, key: tuple[int, ...], symbols: Integers
    ) -> None:
        self._guard.phase(d, key, symbols)
        number, colour, phase_number = key
        self.bytes_needed[number + 1] = self._guard.bytes_needed
        dy, dx = divmod(PHASES[phase_number], 2)
        coded = self._masks[number][:, dy::2, dx::2]
        lengths = mixture_coder.code_lengths_bits(symbols, d)
        self.bits[number][colour, :, dy::2, dx::2][coded] = lengths


def _bias_layers(header: Header, sections: Sections) -> tuple[LayerInfo, ...]:
    """Return the coefficients of the enhancement network's biases, if the file has any."""
    p = header.grid
    if p.layer is None:
        return ()
    symbols = decode.read_coefficient_symbols(p, sections)
    layer = LayerInfo(
        name="biases",
        weights=priors.load(p.prior).biases_count,
        coefficients=len(symbols),
        q_step=p.layer.q_step,
        row=p.layer.row,
        bits=range_coder.code_length_bits(symbols, p.layer.row),
        symbols=symbols,
    )
    return (layer,)


def _prefix_bytes(
    header: Header, sections: Sections, bytes_needed: dict[int, int]
) -> tuple[int, ...]:
    """Return `Contents.prefix_bytes`. bytes_needed: bytes of the stream, by number of levels."""
    if header.has_alpha:  # alpha follows the latents
        return ()
    start = payload_start(sections, header, bitstream.LATENTS)
    most = len(sections[bitstream.LATENTS])
    return tuple(start + min(bytes_needed[n], most) for n in sorted(bytes_needed))


def _approximation_levels(header: Header, approximation: Integers) -> tuple[LevelInfo, ...]:
    """Return the coarsest approximation, whose differences are coded, colour by colour."""
    cell = 1 << wavelet.levels_of(header.height, header.width)
    costs = [
        range_coder.code_lengths_bits(approximation_differences(approximation[colour]), row)
        for colour, row in enumerate(header.grid.approximation_rows)
    ]
    return tuple(
        LevelInfo(
            name="approximation",
            colour=colour,
            cell=cell,
            symbols=approximation[colour][None],
            symbol_bits=cost[None],
        )
        for colour, cost in enumerate(costs)
    )
