"""The latents of a grid file as one range-coded stream: the low band, then the bands."""

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


def pack_low(encoder: Encoder, low: Integers, low_rows: tuple[int, ...]) -> None:
    """Code the low band (colours, h, w); `unpack_low` is the inverse."""
    for plane, row in zip(low, low_rows, strict=True):
        encoder.encode(low_differences(plane).reshape(-1), rows()[row])


def unpack_low(decoder: Decoder, size: tuple[int, int], low_rows: tuple[int, ...]) -> Integers:
    """Inverse of `pack_low`."""
    planes = [decoder.decode(size[0] * size[1], rows()[row]).reshape(size) for row in low_rows]
    out = np.stack(planes).astype(np.int64)
    out[:, :, 0] = np.cumsum(out[:, :, 0], axis=1)
    low = np.cumsum(out, axis=2)
    if np.abs(low).max() > range_coder.LARGEST_MAGNITUDE:
        raise CorruptBitstream("the low band is larger than the format allows")
    return low.astype(np.int32)


def low_differences(plane: Integers) -> Integers:
    """Each symbol minus its left neighbour, the first of a row minus the one above."""
    out = plane.copy()
    out[:, 1:] -= plane[:, :-1]
    out[1:, 0] -= plane[:-1, 0]
    return out


def low_size(header: Header) -> tuple[int, int]:
    """Grid of the low band: that of the coarsest level."""
    return (wavelet.grids(header.height, header.width) or [(header.height, header.width)])[0]


@runtime_checkable
class Watcher(Protocol):
    """Is told what is decoded, as it is decoded."""

    def low(self, planes: Integers) -> None:
        """The low band (colours, h, w)."""

    def step(self, d: mixture_coder.Distributions, key: tuple[int, ...], symbols: Integers) -> None:
        """A step's distributions, its place (level, colour, step) and its symbols."""


def read_pyramid(
    header: Header,
    sections: dict[int, bytes],
    device: torch.device,
    *,
    levels: int | None = None,
    watcher: Watcher | None = None,
) -> Pyramid:
    """The file's integers. levels: only the coarsest so many; what follows is not looked at."""
    decoder = Decoder(sections[bitstream.LATENTS])
    planes = unpack_low(decoder, low_size(header), header.grid.low_rows)
    if watcher is not None:
        watcher.low(planes)
    low = torch.zeros(1, 3, *planes.shape[1:], dtype=torch.int32, device=device)
    low[0, : header.colours] = torch.from_numpy(planes).to(device)

    def code(distributions: mixture_coder.Distributions, key: tuple[int, ...]) -> Integers:
        symbols = mixture_coder.decode_step(decoder, distributions)
        if watcher is not None:
            watcher.step(distributions, key, symbols)
        return symbols

    bands = context_int.code_bands(
        priors.load(header.grid.prior).context(device), low, (header.height, header.width),
        header.grid.q_step_code, code, colours=header.colours, levels=levels,
    )  # fmt: skip
    if len(bands) == len(wavelet.grids(header.height, header.width)):
        decoder.finish()
    return Pyramid(low=low, bands=tuple(bands))


class Held:
    """A watcher that refuses what was read from beyond the end of a stream that was cut off.

    It codes the symbols again: a decoder has read at most one word more than an encoder of the
    same symbols would end with.
    """

    def __init__(self, header: Header, stream: bytes | None = None) -> None:
        """stream: what there is of it; None counts only."""
        self._header, self._again, self._levels = header, Encoder(), 0
        self._held = None if stream is None else len(stream) // 4 * 4

    @property
    def bytes_needed(self) -> int:
        """Of the stream, for the symbols so far."""
        return 4 * (self._again.words + 1)

    def low(self, planes: Integers) -> None:
        pack_low(self._again, planes, self._header.grid.low_rows)
        self._check()

    def step(self, d: mixture_coder.Distributions, key: tuple[int, ...], symbols: Integers) -> None:
        self._levels = key[0]
        mixture_coder.encode_step(self._again, symbols, d)
        self._check()

    def refusal(self) -> TruncatedBitstream:
        """What to say where the stream ends too early."""
        return TruncatedBitstream(
            f"this beginning of a file holds {self._held} bytes of latents, enough for "
            f"{self._levels} levels at most: ask for fewer, or give more of the file"
        )

    def _check(self) -> None:
        if self._held is not None and self.bytes_needed > self._held:
            raise self.refusal()
