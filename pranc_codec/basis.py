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
from collections.abc import Callable, Iterator
from typing import Final, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pranc_codec import prng
from pranc_codec.errors import InvalidArgument
from pranc_codec.threads import on_threads

BLOCK_ENTRIES: Final = 1 << 18
BLOCK_ROWS: Final = 1 << 16
"""Of a layer that are made at once; a held hash basis keeps them in these pieces."""
PIECE_ENTRIES: Final = 1 << 21
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
    octets = _random_octets(start, stop, seed=seed, stream=stream, layer=layer, device=device)
    return _signs_of(octets, _sign_table(device, torch.float32)).narrow(
        0, start % 128, stop - start
    )


def _random_octets(
    start: int, stop: int, *, seed: int, stream: int, layer: int, device: torch.device
) -> Int[Tensor, " octets"]:
    """The bits of signs start .. stop - 1, eight in a number, from the start of the Philox call
    that `start` is in, which is sign start - start % 128."""
    lanes = lanes_on(device)
    words = prng.random_words(
        lanes(start >> 7, -(-stop // 128)), seed=seed, stream=stream, substream=layer
    )
    shifts = torch.tensor([0, 8, 16, 24], device=device)
    return ((torch.stack(words, dim=-1).unsqueeze(-1) >> shifts) & 0xFF).view(-1)


def _sign_table(device: torch.device, kind: torch.dtype) -> Float[Tensor, "256 8"]:
    """Eight signs for each value of eight bits, lowest bit first."""
    lanes = lanes_on(device)
    return (2 * ((lanes(0, 256).unsqueeze(1) >> lanes(0, 8)) & 1) - 1).to(kind)


def _signs_of(octets: Int[Tensor, " octets"], table: Float[Tensor, "256 8"]) -> Tensor:
    return table.index_select(0, octets).view(-1)


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
    tables = _round_tables(a, b, seed=seed, layer=layer, device=index.device)
    out = _feistel(index, tables, a, b)
    beyond = (out >= size).nonzero().view(-1)
    while beyond.numel():
        walked = _feistel(out.index_select(0, beyond), tables, a, b)
        out.index_copy_(0, beyond, walked)
        beyond = beyond.masked_select(walked >= size)
    return out


def _round_tables(
    a: int, b: int, *, seed: int, layer: int, device: torch.device
) -> list[Int[Tensor, " _"]]:
    """What each round adds, by the other half, reduced modulo a or b already."""
    lanes = lanes_on(device)
    rounds = layer * FEISTEL_ROUNDS + lanes(0, FEISTEL_ROUNDS).unsqueeze(1)
    index = lanes(0, max(a, b)).expand(FEISTEL_ROUNDS, -1)
    words = prng.random_words(index, seed=seed, stream=prng.STREAM_ORDER, substream=rounds)[0]
    return [row % (b if r % 2 else a) for r, row in enumerate(words.unbind())]


def _feistel(index: Tensor, tables: list[Tensor], a: int, b: int) -> Tensor:
    left, right = _divide(index, b)
    for r, table in enumerate(tables):
        if r % 2:
            right = _add_modulo(right, table.index_select(0, left), b)
        else:
            left = _add_modulo(left, table.index_select(0, right), a)
    return left * b + right


def _add_modulo(x: Tensor, y: Tensor, modulus: int) -> Tensor:
    """(x + y) % modulus of numbers below it, without a division, which takes most of the time."""
    total = x + y
    return torch.where(total >= modulus, total - modulus, total)


def _divide(x: Tensor, by: int) -> tuple[Tensor, Tensor]:
    """x // by and x % by. float64 is exact enough below 2**40: a quotient that is no integer is at
    least 1 / by from the next one."""
    quotient = (x.double() / by).floor_().long()
    return quotient, x - quotient * by


def _split(start: int, stop: int, size: int) -> list[tuple[int, int]]:
    return [(first, min(first + size, stop)) for first in range(start, stop, size)]


class HashBasis:
    """Each weight is one signed coefficient; see the module's text.

    hold: keep the permutation and the signs (12 bytes a weight) instead of making them anew.
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
        return _split(start, stop, BLOCK_ROWS)

    def expand(
        self, coefficients: Float[Tensor, " k"], start: int, stop: int
    ) -> Float[Tensor, " rows"]:
        """Rows start .. stop - 1 of basis @ coefficients: a gather."""
        out = coefficients.new_empty(stop - start)
        for first, last in self._blocks(start, stop):
            position, sign = self.rows(first, last, coefficients.device)
            _, column = _divide(position, self.coefficients)
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


class DenseBasis:
    """Every weight is a mixture of all coefficients; see the module's text.

    Both products run over blocks that fit a processor's cache, on as many threads as torch has;
    no block outlives its turn. Sums of `expand` are in float64 and so exact in any order, for
    coefficients that are integers times one step: every machine has the same weights.
    """

    def __init__(self, weights: int, coefficients: int, *, seed: int, layer: int) -> None:
        self.weights, self.coefficients = weights, coefficients
        self._seed, self._layer = seed, layer

    def blocks(
        self, start: int, stop: int, device: torch.device, kind: torch.dtype
    ) -> Iterator[tuple[int, int, Float[Tensor, "rows k"]]]:
        """Rows start .. stop - 1 of the matrix with entries +-1: (first row, end, block) each."""
        k, table = self.coefficients, _sign_table(device, kind)
        octets = _random_octets(
            start * k, stop * k, seed=self._seed, stream=prng.STREAM_DENSE, layer=self._layer,
            device=device,
        )  # fmt: skip
        origin = start * k // 128 * 128
        for first, last in _split(start, stop, max(1, BLOCK_ENTRIES // k)):
            begin, end = first * k - origin, last * k - origin
            part = octets.narrow(0, begin // 8, -(-end // 8) - begin // 8)
            signs = _signs_of(part, table)
            yield first, last, signs.narrow(0, begin % 8, end - begin).view(-1, k)

    def expand(
        self, coefficients: Float[Tensor, " k"], start: int, stop: int
    ) -> Float[Tensor, " rows"]:
        """Rows start .. stop - 1 of basis @ coefficients."""
        exact, root = coefficients.double(), math.sqrt(self.coefficients)

        def rows(first: int, last: int) -> Tensor:
            blocks = self.blocks(first, last, exact.device, torch.float64)
            parts = [(block @ exact).div_(root) for *_, block in blocks]
            return torch.cat(parts).to(coefficients.dtype)

        return torch.cat(on_threads(rows, self._pieces(start, stop), exact.device))

    def project(self, gradient: Float[Tensor, " rows"], start: int) -> Float[Tensor, " k"]:
        """Transposed product; partial sums are added up in one order, whatever the threads."""

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
        """Ranges of rows that one thread makes at a time."""
        return _split(start, stop, max(1, PIECE_ENTRIES // self.coefficients))


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
