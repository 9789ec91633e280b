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

    approximation_rows: for each colour, the index of a row in `tables.rows`.
    """
    for plane, row in zip(approximation, approximation_rows, strict=True):
        encoder.encode(approximation_differences(plane).reshape(-1), rows()[row])


def unpack_approximation(
    decoder: Decoder, size: tuple[int, int], approximation_rows: tuple[int, ...]
) -> Integers:
    """Decode the coarsest approximation; inverse of `pack_approximation`.

    size: (height, width) of the approximation.
    """
    count = size[0] * size[1]
    planes = [decoder.decode(count, rows()[row]).reshape(size) for row in approximation_rows]
    out = np.stack(planes).astype(np.int64)
    out[:, :, 0] = np.cumsum(out[:, :, 0], axis=1)
    approximation = np.cumsum(out, axis=2)
    if np.abs(approximation).max() > range_coder.LARGEST_MAGNITUDE:
        raise CorruptBitstream("the approximation is larger than the format allows")
    return approximation.astype(np.int32)


def approximation_differences(plane: Integers) -> Integers:
    """Return each symbol minus its left neighbour; the first of a row minus the one above it."""
    out = plane.copy()
    out[:, 1:] -= plane[:, :-1]
    out[1:, 0] -= plane[:-1, 0]
    return out


@runtime_checkable
class DecodeObserver(Protocol):
    """An object that is called with symbols as soon as they are decoded."""

    def approximation(self, planes: Integers) -> None:
        """Handle the coarsest approximation (colours, h, w)."""

    def phase(
        self, d: mixture_coder.Distributions, key: tuple[int, ...], symbols: Integers
    ) -> None:
        """Handle the symbols of a phase.

        d: their distributions. key: (level, colour, phase number), with levels counted from 0 for
        the coarsest.
        """


def read_pyramid(
    header: Header,
    sections: dict[int, bytes],
    device: torch.device,
    *,
    levels: int | None = None,
    observer: DecodeObserver | None = None,
) -> Pyramid:
    """Decode the symbols of a file.

    levels: decode only the N coarsest levels; the rest of the stream is not read. None for all.
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
    """A `DecodeObserver` that raises for symbols beyond the end of a truncated stream.

    It encodes the symbols again, because a decoder has read at most one word more than an encoder
    of the same symbols would have written.
    """

    def __init__(self, header: Header, stream: bytes | None = None) -> None:
        """stream: the available part of the stream; None to count bytes without raising."""
        self._header, self._again, self._levels = header, Encoder(), 0
        self._available = None if stream is None else len(stream) // 4 * 4

    @property
    def bytes_needed(self) -> int:
        """Number of bytes of the stream that the symbols decoded so far need."""
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
        """Return the error for a stream that ends too early."""
        return TruncatedBitstream(
            f"this part of a file holds {self._available} bytes of latents, which are enough for "
            f"{self._levels} levels at most: ask for fewer levels, or give more of the file"
        )

    def _check(self) -> None:
        if self._available is not None and self.bytes_needed > self._available:
            raise self.refusal()
