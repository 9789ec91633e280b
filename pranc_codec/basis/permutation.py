"""Pseudo-random permutations in integer arithmetic. Any entry can be computed alone."""

import math
from typing import Final

import torch
from jaxtyping import Int
from torch import Tensor

from pranc_codec.basis import prng
from pranc_codec.basis.signs import lanes_on

FEISTEL_ROUNDS: Final = 6


def permute(
    index: Int[Tensor, " rows"], size: int, *, seed: int, layer: int
) -> Int[Tensor, " rows"]:
    """Return the images of indices under a pseudo-random permutation of 0 .. size - 1.

    The permutation is a Feistel network on pairs (i // b, i % b), with a = ceil(sqrt(size)) and
    b = ceil(size / a). Its rounds add, modulo a and modulo b in turn, a random number that the
    other half selects from a table; the tables have about sqrt(size) entries. A result that is not
    below `size` goes through the network again until it is (cycle walking; Black & Rogaway,
    "Ciphers with arbitrary finite domains", CT-RSA 2002, section 4). seed, layer: key and substream
    of the random numbers.
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
    """Return, for each round, the number to add for each value of the other half.

    The numbers are already reduced modulo a or b.
    """
    lanes = lanes_on(device)
    rounds = layer * FEISTEL_ROUNDS + lanes(0, FEISTEL_ROUNDS).unsqueeze(1)
    index = lanes(0, max(a, b)).expand(FEISTEL_ROUNDS, -1)
    words = prng.random_words(index, seed=seed, stream=prng.STREAM_ORDER, substream=rounds)[0]
    return [row % (b if r % 2 else a) for r, row in enumerate(words.unbind())]


def _feistel(index: Tensor, tables: list[Tensor], a: int, b: int) -> Tensor:
    left, right = divide(index, b)
    for r, table in enumerate(tables):
        if r % 2:
            right = _add_modulo(right, table.index_select(0, left), b)
        else:
            left = _add_modulo(left, table.index_select(0, right), a)
    return left * b + right


def _add_modulo(x: Tensor, y: Tensor, modulus: int) -> Tensor:
    """Return (x + y) % modulus for x, y < modulus, without a slow division."""
    total = x + y
    return torch.where(total >= modulus, total - modulus, total)


def divide(x: Tensor, by: int) -> tuple[Tensor, Tensor]:
    """Return x // by and x % by, for x below 2**40.

    The division in float64 is precise enough: a quotient that is not an integer differs from the
    nearest integer by at least 1 / by.
    """
    quotient = (x.double() / by).floor_().long()
    return quotient, x - quotient * by
