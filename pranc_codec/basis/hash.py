"""The basis `hash`: every weight is one coefficient, with a pseudo-random sign."""

from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pranc_codec.basis import prng
from pranc_codec.basis.permutation import divide, permute
from pranc_codec.basis.signs import random_signs

BLOCK_ROWS: Final = 1 << 16
"""Number of rows that are generated at once and cached together."""


class HashBasis:
    """Each weight is one signed coefficient; see `basis`.

    cache: keep the permutation and the signs in memory (12 bytes per weight) instead of generating
    them for every product.
    """

    def __init__(
        self, weights: int, coefficients: int, *, seed: int, layer: int, cache: bool = False
    ) -> None:
        self.weights, self.coefficients = weights, coefficients
        self._seed, self._layer = seed, layer
        self._cache = cache
        self._cached: dict[tuple[int, torch.device], tuple[Tensor, Tensor]] = {}

    def rows(
        self, start: int, stop: int, device: torch.device
    ) -> tuple[Int[Tensor, " rows"], Float[Tensor, " rows"]]:
        """Return the permuted positions and signs of weights start .. stop - 1 of one block."""
        if not self._cache:
            return self._make_rows(start, stop, device)
        first = start - start % BLOCK_ROWS
        key = (first, device)
        if key not in self._cached:
            last = min(first + BLOCK_ROWS, self.weights)
            self._cached[key] = self._make_rows(first, last, device)
        position, sign = self._cached[key]
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
        """Split rows into ranges to limit memory: the integers take more than the weights."""
        return [
            (max(start, first), min(first + BLOCK_ROWS, stop))
            for first in range(start - start % BLOCK_ROWS, stop, BLOCK_ROWS)
        ]

    def expand(
        self, coefficients: Float[Tensor, " k"], start: int, stop: int
    ) -> Float[Tensor, " rows"]:
        """Return rows start .. stop - 1 of basis @ coefficients, which is a gather."""
        out = coefficients.new_empty(stop - start)
        for first, last in self._blocks(start, stop):
            position, sign = self.rows(first, last, coefficients.device)
            _, column = divide(position, self.coefficients)
            block = out.narrow(0, first - start, last - first)
            torch.mul(coefficients.index_select(0, column), sign, out=block)
        return out

    def project(self, gradient: Float[Tensor, " rows"], start: int) -> Float[Tensor, " k"]:
        """Return the part of basis.T @ gradient that the rows from `start` on give.

        The gradient is scattered by the permutation and then summed in a fixed order. No two
        weights have the same position, so the result is deterministic on every device.
        """
        k = self.coefficients
        places = gradient.new_zeros(-(-self.weights // k) * k)
        for first, last in self._blocks(start, start + gradient.numel()):
            position, sign = self.rows(first, last, gradient.device)
            places.index_copy_(0, position, gradient.narrow(0, first - start, last - first) * sign)
        return places.view(-1, k).sum(0)
