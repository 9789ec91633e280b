"""Pseudo-random signs in integer arithmetic. Any slice can be computed alone."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pranc_codec.basis import prng


def lanes_on(device: torch.device) -> Callable[[int, int], Tensor]:
    """Return `torch.arange` bound to a device; it makes the indices that `prng` takes."""
    return lambda start, stop: torch.arange(start, stop, device=device)


def random_signs(
    start: int, stop: int, *, seed: int, stream: int, layer: int, device: torch.device
) -> Float[Tensor, " rows"]:
    """Return signs start .. stop - 1 of a stream, each -1 or +1.

    One Philox counter gives 128 signs.
    """
    octets = random_octets(start, stop, seed=seed, stream=stream, layer=layer, device=device)
    return signs_of(octets, sign_table(device, torch.float32)).narrow(0, start % 128, stop - start)


def random_octets(
    start: int, stop: int, *, seed: int, stream: int, layer: int, device: torch.device
) -> Int[Tensor, " octets"]:
    """Return the bits of signs start .. stop - 1 and of some signs around them, eight per number.

    The first bit belongs to sign start - start % 128, the first one of the same Philox counter.
    """
    lanes = lanes_on(device)
    words = prng.random_words(
        lanes(start >> 7, -(-stop // 128)), seed=seed, stream=stream, substream=layer
    )
    shifts = torch.tensor([0, 8, 16, 24], device=device)
    return ((torch.stack(words, dim=-1).unsqueeze(-1) >> shifts) & 0xFF).view(-1)


def sign_table(device: torch.device, dtype: torch.dtype) -> Float[Tensor, "256 8"]:
    """Return the eight signs of each octet 0 .. 255, lowest bit first; a set bit means +1."""
    lanes = lanes_on(device)
    return (2 * ((lanes(0, 256).unsqueeze(1) >> lanes(0, 8)) & 1) - 1).to(dtype)


def signs_of(octets: Int[Tensor, " octets"], table: Float[Tensor, "256 8"]) -> Tensor:
    """Return the signs of octets as one vector. table: the result of `sign_table`."""
    return table.index_select(0, octets).view(-1)
