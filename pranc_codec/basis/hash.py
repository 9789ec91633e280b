"""The basis `hash`: a pseudo-random permutation with signs; every weight is one coefficient."""

from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pranc_codec.basis import prng
from pranc_codec.basis.permutation import divide, permute
from pranc_codec.basis.signs import random_signs

BLOCK_ROWS: Final = 1 << 16
"""A block: rows that are made at once, and held together."""


class HashBasis:
    """Each weight is one signed coefficient; see `basis`.

    hold: keep the permutation and the signs (12 bytes a weight) instead of making them anew.
    """

    def __init__(
        self, weights: int, coefficients: int, *, seed: int, layer: int, hold: bool = False
    ) -> None:
        self.weights, self.coefficients = weights, coefficients
        self._seed, self._layer = seed, layer
        self._hold = hold
        self._held: dict[tuple[int, torch.device], tuple[Tensor, Tensor]] = {}

    def rows(
        self, start: int, stop: int, device: torch.device
    ) -> tuple[Int[Tensor, " rows"], Float[Tensor, " rows"]]:
        """Permuted positions and signs of the weights start .. stop - 1, all of one block."""
        if not self._hold:
            return self._make_rows(start, stop, device)
        first = start - start % BLOCK_ROWS
        key = (first, device)
        if key not in self._held:
            last = min(first + BLOCK_ROWS, self.weights)
            self._held[key] = self._make_rows(first, last, device)
        position, sign = self._held[key]
        return position[start - first : stop - first], sign[start - first : stop - first]

    def _make_rows(
        self, start: int, stop: int, device: torch.device
    ) -> tuple[Int[Tensor, " rows"], Float[Tensor, " rows"]]:
        index = torch.arange(start, stop, device=device)
        position = permute(index, self.weights, seed=self._seed, layer=self._layer)
        sign = random_signs(
            start, stop, seed=self._seed, stream=prng.STREAM_SIGN, layer=self._layer, device=device
        )
        return position, sign

    def _blocks(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Ranges of rows that are made at once: integers take much more room than weights."""
        return [
            (max(start, first), min(first + BLOCK_ROWS, stop))
            for first in range(start - start % BLOCK_ROWS, stop, BLOCK_ROWS)
        ]

    def expand(
        self, coefficients: Float[Tensor, " k"], start: int, stop: int
    ) -> Float[Tensor, " rows"]:
        """Rows start .. stop - 1 of basis @ coefficients: a gather."""
        out = coefficients.new_empty(stop - start)
        for first, last in self._blocks(start, stop):
            position, sign = self.rows(first, last, coefficients.device)
            _, column = divide(position, self.coefficients)
            block = out.narrow(0, first - start, last - first)
            torch.mul(coefficients.index_select(0, column), sign, out=block)
        return out

    def project(self, gradient: Float[Tensor, " rows"], start: int) -> Float[Tensor, " k"]:
        """Transposed product: a scatter to distinct places, then a sum of fixed order.

        No two weights share a place, so the result is deterministic on every device.
        """
        k = self.coefficients
        places = gradient.new_zeros(-(-self.weights // k) * k)
        for first, last in self._blocks(start, start + gradient.numel()):
            position, sign = self.rows(first, last, gradient.device)
            places.index_copy_(0, position, gradient.narrow(0, first - start, last - first) * sign)
        return places.view(-1, k).sum(0)
