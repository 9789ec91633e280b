"""The basis `dense`: every weight is a signed sum of all coefficients."""

import math
from collections.abc import Iterator
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.basis import prng
from pranc_codec.basis.signs import random_octets, sign_table, signs_of
from pranc_codec.basis.threads import on_threads, pieces_of

BLOCK_ENTRIES: Final = 1 << 18
"""Number of entries of the matrix that are generated at once."""
PIECE_ENTRIES: Final = 1 << 21
"""Number of entries that one thread works through before it takes the next piece."""


class DenseBasis:
    """Every weight is a signed sum of all coefficients, divided by sqrt(k); see `basis`.

    Both products generate the matrix in blocks that fit a processor's cache, use each once and
    drop it, on as many threads as torch has. `expand` sums in float64. If the coefficients are
    integer multiples of one quantization step, these sums are exact in any order, so every machine
    has the same weights.
    """

    def __init__(self, weights: int, coefficients: int, *, seed: int, layer: int) -> None:
        self.weights, self.coefficients = weights, coefficients
        self._seed, self._layer = seed, layer

    def blocks(
        self, start: int, stop: int, device: torch.device, dtype: torch.dtype
    ) -> Iterator[tuple[int, int, Float[Tensor, "rows k"]]]:
        """Yield rows start .. stop - 1 of sqrt(k) times the basis, whose entries are +-1.

        Each item is (first row, row after the last, block).
        """
        k, table = self.coefficients, sign_table(device, dtype)
        octets = random_octets(
            start * k, stop * k, seed=self._seed, stream=prng.STREAM_DENSE, layer=self._layer,
            device=device,
        )  # fmt: skip
        origin = start * k // 128 * 128
        for first, last in pieces_of(start, stop, max(1, BLOCK_ENTRIES // k)):
            begin, end = first * k - origin, last * k - origin
            part = octets.narrow(0, begin // 8, -(-end // 8) - begin // 8)
            signs = signs_of(part, table)
            yield first, last, signs.narrow(0, begin % 8, end - begin).view(-1, k)

    def expand(
        self, coefficients: Float[Tensor, " k"], start: int, stop: int
    ) -> Float[Tensor, " rows"]:
        """Return rows start .. stop - 1 of basis @ coefficients."""
        exact, root = coefficients.double(), math.sqrt(self.coefficients)

        def rows(first: int, last: int) -> Tensor:
            blocks = self.blocks(first, last, exact.device, torch.float64)
            parts = [(block @ exact).div_(root) for *_, block in blocks]
            return torch.cat(parts).to(coefficients.dtype)

        return torch.cat(on_threads(rows, self._pieces(start, stop), exact.device))

    def project(self, gradient: Float[Tensor, " rows"], start: int) -> Float[Tensor, " k"]:
        """Return the part of basis.T @ gradient that the rows from `start` on give.

        Partial sums are added in a fixed order, whatever the number of threads.
        """

        def columns(first: int, last: int) -> Tensor:
            out = gradient.new_zeros(self.coefficients)
            with torch.autocast(out.device.type, enabled=False):
                for a, b, block in self.blocks(first, last, out.device, gradient.dtype):
                    out += gradient.narrow(0, a - start, b - a) @ block
            return out

        pieces = self._pieces(start, start + gradient.numel())
        parts = on_threads(columns, pieces, gradient.device)
        return torch.stack(parts).sum(0) / math.sqrt(self.coefficients)

    def _pieces(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Split rows into ranges; one thread works on one range at a time."""
        return pieces_of(start, stop, max(1, PIECE_ENTRIES // self.coefficients))
