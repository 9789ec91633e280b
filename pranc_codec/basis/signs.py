"""Random signs by index, from integers only: any slice of a stream, on any device."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pranc_codec.basis import prng


def lanes_on(device: torch.device) -> Callable[[int, int], Tensor]:
    """`arange` for `prng` with int64 lanes on a device."""
    return lambda start, stop: torch.arange(start, stop, device=device)


def random_signs(
    start: int, stop: int, *, seed: int, stream: int, layer: int, device: torch.device
) -> Float[Tensor, " rows"]:
    """Signs -1 and +1 with indices start .. stop - 1; 128 of them from one Philox call."""
    octets = random_octets(start, stop, seed=seed, stream=stream, layer=layer, device=device)
    return signs_of(octets, sign_table(device, torch.float32)).narrow(0, start % 128, stop - start)


def random_octets(
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


def sign_table(device: torch.device, kind: torch.dtype) -> Float[Tensor, "256 8"]:
    """Eight signs for each value of eight bits, lowest bit first."""
    lanes = lanes_on(device)
    return (2 * ((lanes(0, 256).unsqueeze(1) >> lanes(0, 8)) & 1) - 1).to(kind)


def signs_of(octets: Int[Tensor, " octets"], table: Float[Tensor, "256 8"]) -> Tensor:
    return table.index_select(0, octets).view(-1)
