"""Seeded bases: the maps from a layer's coefficients to its weights that no file stores.

A basis of one layer is a matrix with one row per weight (D) and one column per coefficient (k):

    hash    one entry +-1 a row: weight i belongs to coefficient `position(i) % k`, where
            `position` is a pseudo-random permutation. Each coefficient has floor(D / k) or
            ceil(D / k) weights, columns are orthogonal, and both products cost O(D). It is
            PRANC's `pranc_bin` with signs; see also HashedNets (Chen et al., ICML 2015) and
            Uni-LoRA (Li et al., NeurIPS 2025).
    dense   entries +-1 / sqrt(k), made and applied in blocks and never stored whole. PRANC
            (arXiv 2206.08464) draws Kaiming-uniform rows and starts from a one-hot vector of
            coefficients; +-1 around a prior with all coefficients zero is our choice: the law of
            the entries is immaterial, and coefficients around zero can be quantized.

Both are random access: any slice of rows is made alone, on any device, from (seed, layer) and
integers only (`prng`), so every machine has the same basis.
"""

import math
from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pranc_codec import prng
from pranc_codec.errors import InvalidArgument

BLOCK_ENTRIES: Final = 1 << 20
FEISTEL_ROUNDS: Final = 6


@runtime_checkable
class Basis(Protocol):
    """A (weights, coefficients) matrix that is applied without being stored."""

    weights: int
    coefficients: int

    def expand(
        self, coefficients: Float[Tensor, " k"], start: int, stop: int
    ) -> Float[Tensor, " rows"]:
        """Rows start .. stop - 1 of basis @ coefficients."""

    def project(self, gradient: Float[Tensor, " rows"], start: int) -> Float[Tensor, " k"]:
        """Those rows' part of basis.T @ gradient (the gradient of `expand`)."""


def lanes_on(device: torch.device) -> Callable[[int, int], Tensor]:
    """`arange` for `prng` with int64 lanes on a device."""
    return lambda start, stop: torch.arange(start, stop, device=device)


def random_signs(
    start: int, stop: int, *, seed: int, stream: int, layer: int, device: torch.device
) -> Float[Tensor, " rows"]:
    """Signs -1 and +1 with indices start .. stop - 1; 128 of them from one Philox call."""
    lanes = lanes_on(device)
    first = start >> 7
    words = prng.random_words(
        lanes(first, -(-stop // 128)), seed=seed, stream=stream, substream=layer
    )
    bits = (torch.stack(words, dim=-1).unsqueeze(-1) >> lanes(0, 32)) & 1
    return (2 * bits.reshape(-1).narrow(0, start - (first << 7), stop - start) - 1).float()


def permute(
    index: Int[Tensor, " rows"], size: int, *, seed: int, layer: int
) -> Int[Tensor, " rows"]:
    """Where a pseudo-random permutation of 0 .. size - 1 sends each index.

    A Feistel network on pairs (i // b, i % b) with a * b >= size and additions modulo a and b
    (Black & Rogaway, "Ciphers with arbitrary finite domains", 2002, whose cycle walking deals
    with the few pairs beyond `size`). The round functions are tables of random numbers, which
    are short because they have about sqrt(size) entries.
    """
    a = math.isqrt(size - 1) + 1
    b = -(-size // a)
    lanes = lanes_on(index.device)
    stream: dict[str, Any] = dict(seed=seed, stream=prng.STREAM_ORDER)
    tables = [
        prng.random_words(
            lanes(0, a if r % 2 else b), substream=layer * FEISTEL_ROUNDS + r, **stream
        )[0]
        for r in range(FEISTEL_ROUNDS)
    ]
    out = _feistel(index, tables, a, b)
    while bool((out >= size).any()):
        out = torch.where(out >= size, _feistel(out, tables, a, b), out)
    return out


def _feistel(index: Tensor, tables: list[Tensor], a: int, b: int) -> Tensor:
    left, right = index // b, index % b
    for r, table in enumerate(tables):
        if r % 2:
            right = (right + table.index_select(0, left)) % b
        else:
            left = (left + table.index_select(0, right)) % a
    return left * b + right


def _split(start: int, stop: int, size: int) -> list[tuple[int, int]]:
    return [(first, min(first + size, stop)) for first in range(start, stop, size)]


class HashBasis:
    """Each weight is one signed coefficient; see the module's text.

    hold: keep the permutation and the signs (16 bytes a weight) instead of making them anew.
    """

    def __init__(
        self, weights: int, coefficients: int, *, seed: int, layer: int, hold: bool = False
    ) -> None:
        self.weights, self.coefficients = weights, coefficients
        self._seed, self._layer = seed, layer
        self._hold = hold
        self._held: dict[tuple[int, int, torch.device], tuple[Tensor, Tensor]] = {}

    def rows(
        self, start: int, stop: int, device: torch.device
    ) -> tuple[Int[Tensor, " rows"], Float[Tensor, " rows"]]:
        """Permuted positions and signs of the weights start .. stop - 1."""
        key = (start, stop, device)
        if key in self._held:
            return self._held[key]
        index = torch.arange(start, stop, device=device)
        position = permute(index, self.weights, seed=self._seed, layer=self._layer)
        sign = random_signs(
            start, stop, seed=self._seed, stream=prng.STREAM_SIGN, layer=self._layer, device=device
        )
        if self._hold:
            self._held[key] = position, sign
        return position, sign

    def _blocks(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Ranges of rows that are made at once: integers take much more room than weights."""
        return _split(start, stop, BLOCK_ENTRIES // 16)

    def expand(
        self, coefficients: Float[Tensor, " k"], start: int, stop: int
    ) -> Float[Tensor, " rows"]:
        """Rows start .. stop - 1 of basis @ coefficients: a gather."""
        parts = []
        for first, last in self._blocks(start, stop):
            position, sign = self.rows(first, last, coefficients.device)
            parts.append(coefficients.index_select(0, position % self.coefficients).mul_(sign))
        return torch.cat(parts) if len(parts) > 1 else parts[0]

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


class DenseBasis:
    """Every weight is a mixture of all coefficients; see the module's text."""

    def __init__(self, weights: int, coefficients: int, *, seed: int, layer: int) -> None:
        self.weights, self.coefficients = weights, coefficients
        self._seed, self._layer = seed, layer

    def block(self, start: int, stop: int, device: torch.device) -> Float[Tensor, "rows k"]:
        """Rows start .. stop - 1 of the matrix, entries +-1."""
        k = self.coefficients
        entries = random_signs(
            start * k, stop * k, seed=self._seed, stream=prng.STREAM_DENSE, layer=self._layer,
            device=device,
        )  # fmt: skip
        return entries.view(-1, k)

    def _blocks(self, start: int, stop: int) -> list[tuple[int, int]]:
        return _split(start, stop, max(1, BLOCK_ENTRIES // self.coefficients))

    def expand(
        self, coefficients: Float[Tensor, " k"], start: int, stop: int
    ) -> Float[Tensor, " rows"]:
        """Rows start .. stop - 1 of basis @ coefficients, block by block."""
        parts = [
            self.block(*rows, coefficients.device) @ coefficients
            for rows in self._blocks(start, stop)
        ]
        return torch.cat(parts) / math.sqrt(self.coefficients)

    def project(self, gradient: Float[Tensor, " rows"], start: int) -> Float[Tensor, " k"]:
        """Transposed product, block by block."""
        out = gradient.new_zeros(self.coefficients)
        for first, last in self._blocks(start, start + gradient.numel()):
            part = gradient.narrow(0, first - start, last - first)
            out += self.block(first, last, gradient.device).T @ part
        return out / math.sqrt(self.coefficients)


def make_basis(
    kind: str, weights: int, coefficients: int, *, seed: int, layer: int, hold: bool = False
) -> Basis:
    """The basis of one layer. kind: "hash" or "dense"."""
    if not 1 <= coefficients <= weights:
        raise InvalidArgument(
            f"{coefficients} coefficients for {weights} weights: use 1 to {weights}"
        )
    if kind == "hash":
        return HashBasis(weights, coefficients, seed=seed, layer=layer, hold=hold)
    if kind == "dense":
        return DenseBasis(weights, coefficients, seed=seed, layer=layer)
    raise InvalidArgument(f"unknown basis {kind!r}: use 'hash' or 'dense'")
