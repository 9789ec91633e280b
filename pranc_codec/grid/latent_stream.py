"""The latents of a grid file as one range-coded stream: the approximation, then the bands."""

from typing import Protocol, runtime_checkable

import numpy as np
import torch

from pranc_codec.entropy import mixture_coder, range_coder
from pranc_codec.entropy.range_coder import Decoder, Encoder, Integers
from pranc_codec.entropy.tables import rows
from pranc_codec.errors import CorruptBitstream, TruncatedBitstream
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.grid import context_int, prior as priors, wavelet
from pranc_codec.grid.wavelet import Pyramid


def pack_approximation(
    encoder: Encoder, approximation: Integers, approximation_rows: tuple[int, ...]
) -> None:
    """Code the coarsest approximation (colours, h, w); `unpack_approximation` is the inverse.

    approximation_rows: the row of `tables` for each colour.
    """
    for plane, row in zip(approximation, approximation_rows, strict=True):
        encoder.encode(approximation_differences(plane).reshape(-1), rows()[row])


def unpack_approximation(
    decoder: Decoder, size: tuple[int, int], approximation_rows: tuple[int, ...]
) -> Integers:
    """Inverse of `pack_approximation`. size: (height, width) of the approximation."""
    count = size[0] * size[1]
    planes = [decoder.decode(count, rows()[row]).reshape(size) for row in approximation_rows]
    out = np.stack(planes).astype(np.int64)
    out[:, :, 0] = np.cumsum(out[:, :, 0], axis=1)
    approximation = np.cumsum(out, axis=2)
    if np.abs(approximation).max() > range_coder.LARGEST_MAGNITUDE:
        raise CorruptBitstream("the approximation is larger than the format allows")
    return approximation.astype(np.int32)


def approximation_differences(plane: Integers) -> Integers:
    """Each symbol minus its left neighbour; the first of a row minus the one above it."""
    out = plane.copy()
    out[:, 1:] -= plane[:, :-1]
    out[1:, 0] -= plane[:-1, 0]
    return out


@runtime_checkable
class DecodeObserver(Protocol):
    """Is told what is decoded, while it is decoded."""

    def approximation(self, planes: Integers) -> None:
        """Take the coarsest approximation (colours, h, w)."""

    def phase(
        self, d: mixture_coder.Distributions, key: tuple[int, ...], symbols: Integers
    ) -> None:
        """Take the distributions of a phase, its place (level, colour, phase number), counted from
        the coarsest level, and its symbols."""


def read_pyramid(
    header: Header,
    sections: dict[int, bytes],
    device: torch.device,
    *,
    levels: int | None = None,
    observer: DecodeObserver | None = None,
) -> Pyramid:
    """The symbols of a file.

    levels: only the coarsest ones, this many; the rest of the stream is not read.
    """
    decoder = Decoder(sections[bitstream.LATENTS])
    size = (header.height, header.width)
    planes = unpack_approximation(
        decoder, wavelet.approximation_size(*size), header.grid.approximation_rows
    )
    if observer is not None:
        observer.approximation(planes)
    approximation = torch.zeros(1, 3, *planes.shape[1:], dtype=torch.int32, device=device)
    approximation[0, : header.colours] = torch.from_numpy(planes).to(device)

    def code(distributions: mixture_coder.Distributions, key: tuple[int, ...]) -> Integers:
        symbols = mixture_coder.decode_phase(decoder, distributions)
        if observer is not None:
            observer.phase(distributions, key, symbols)
        return symbols

    bands = context_int.code_bands(
        priors.load(header.grid.prior).context(device), approximation, size,
        header.grid.q_step_code, code, colours=header.colours, levels=levels,
    )  # fmt: skip
    if len(bands) == wavelet.levels_of(*size):
        decoder.finish()
    return Pyramid(approximation=approximation, bands=tuple(bands))


class PrefixGuard:
    """An observer that refuses symbols which were read from beyond the end of a cut-off stream.

    It codes the symbols again: a decoder has read at most one word more than an encoder of the
    same symbols would have written.
    """

    def __init__(self, header: Header, stream: bytes | None = None) -> None:
        """stream: the part of it that there is; None only counts."""
        self._header, self._again, self._levels = header, Encoder(), 0
        self._available = None if stream is None else len(stream) // 4 * 4

    @property
    def bytes_needed(self) -> int:
        """Bytes of the stream that the symbols so far need."""
        return 4 * (self._again.words + 1)

    def approximation(self, planes: Integers) -> None:
        pack_approximation(self._again, planes, self._header.grid.approximation_rows)
        self._check()

    def phase(
        self, d: mixture_coder.Distributions, key: tuple[int, ...], symbols: Integers
    ) -> None:
        self._levels = key[0]
        mixture_coder.encode_phase(self._again, symbols, d)
        self._check()

    def refusal(self) -> TruncatedBitstream:
        """The error for a stream that ends too early."""
        return TruncatedBitstream(
            f"this beginning of a file holds {self._available} bytes of latents, enough for "
            f"{self._levels} levels at most: ask for fewer, or give more of the file"
        )

    def _check(self) -> None:
        if self._available is not None and self.bytes_needed > self._available:
            raise self.refusal()
