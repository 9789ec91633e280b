"""Pseudo-random signs, any slice of which is computed alone, from integers only."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pranc_codec.basis import prng


def lanes_on(device: torch.device) -> Callable[[int, int], Tensor]:
    """`torch.arange` on a device, for the indices that `prng` takes."""
    return lambda start, stop: torch.arange(start, stop, device=device)


def random_signs(
    start: int, stop: int, *, seed: int, stream: int, layer: int, device: torch.device
) -> Float[Tensor, " rows"]:
    """Signs start .. stop - 1 of a stream, -1 or +1 each; one Philox call gives 128 of them."""
    octets = random_octets(start, stop, seed=seed, stream=stream, layer=layer, device=device)
    return signs_of(octets, sign_table(device, torch.float32)).narrow(0, start % 128, stop - start)


def random_octets(
    start: int, stop: int, *, seed: int, stream: int, layer: int, device: torch.device
) -> Int[Tensor, " octets"]:
    """The bits of signs start .. stop - 1, eight in each number, and of some signs around them.

    The first bit is that of sign start - start % 128, where the Philox call of sign `start` begins.
    """
    lanes = lanes_on(device)
    words = prng.random_words(
        lanes(start >> 7, -(-stop // 128)), seed=seed, stream=stream, substream=layer
    )
    shifts = torch.tensor([0, 8, 16, 24], device=device)
    return ((torch.stack(words, dim=-1).unsqueeze(-1) >> shifts) & 0xFF).view(-1)


def sign_table(device: torch.device, dtype: torch.dtype) -> Float[Tensor, "256 8"]:
    """The eight signs of each value of eight bits, lowest bit first; a set bit is +1."""
    lanes = lanes_on(device)
    return (2 * ((lanes(0, 256).unsqueeze(1) >> lanes(0, 8)) & 1) - 1).to(dtype)


def signs_of(octets: Int[Tensor, " octets"], table: Float[Tensor, "256 8"]) -> Tensor:
    """The signs of octets as one vector. table: see `sign_table`."""
    return table.index_select(0, octets).view(-1)
