"""One layer of a PRANC network: parameters as slices of prior + scale * basis @ coefficients."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pranc_codec import prng
from pranc_codec.basis import Basis, expand

BLOCK_NUMBERS: Final = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One parameter tensor's place in its layer: weights start .. stop - 1, and their scale."""

    name: str
    shape: torch.Size
    start: int
    stop: int
    scale: float
    constant: float
    """Prior of every weight where `bound` is 0."""
    bound: float
    """The prior is uniform in (-bound, bound), from the seed."""


def slices_of(owner: nn.Module) -> list[Slice]:
    """Places, scales and seeded prior of a layer's own parameters.

    Tensors of two or more dimensions: prior uniform within 1 / sqrt(fan_in), as torch's default
    for linear and convolution layers. Vectors beside them (biases): prior 0, the same scale.
    Vectors alone (normalization): prior 1 for `weight`, else 0, and scale 0.1.
    """
    named = [(name, p) for name, p in owner.named_parameters(recurse=False)]
    fans = [p[0].numel() for _, p in named if p.dim() > 1]
    bound = 1 / math.sqrt(fans[0]) if fans else 0.0
    out, start = [], 0
    for name, parameter in named:
        matrix = parameter.dim() > 1
        out.append(
            Slice(
                name=name,
                shape=parameter.shape,
                start=start,
                stop=start + parameter.numel(),
                scale=bound / math.sqrt(3) if fans else 0.1,
                constant=1.0 if not fans and name == "weight" else 0.0,
                bound=1 / math.sqrt(parameter[0].numel()) if matrix else 0.0,
            )
        )
        start += parameter.numel()
    return out


class Layer(nn.Module):
    """Makes one layer's parameters from its coefficients."""

    coefficients: nn.Parameter

    def __init__(
        self, slices: Sequence[Slice], basis: Basis, *, seed: int, number: int,
        prior: Mapping[str, Tensor] | None, hold: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.slices = {s.name: s for s in slices}
        self.basis, self.seed, self.number, self.hold = basis, seed, number, hold
        self.coefficients = nn.Parameter(torch.zeros(basis.coefficients, dtype=torch.float32))
        self.substitutes: list[Tensor] = []  # a list, so that nn.Module does not register it
        self._has_prior = prior is not None
        for name, tensor in (prior or {}).items():
            self.register_buffer(f"prior_{name}", tensor.detach().clone(), persistent=False)

    def prior(self, name: str) -> Tensor:
        """Prior of a tensor: what was given, or made from the seed."""
        s = self.slices[name]
        if self._has_prior:
            given: Tensor = getattr(self, f"prior_{name}")
            return given
        device = self.coefficients.device
        if s.bound == 0:
            return torch.full(s.shape, s.constant, device=device, dtype=torch.float32)
        return s.bound * seeded_uniform(
            s.start, s.stop, seed=self.seed, layer=self.number, device=device
        ).view(s.shape)

    def current(self) -> Tensor:
        """The coefficients in use: the parameter, or what `Pranc.using` puts in its place."""
        return self.substitutes[-1] if self.substitutes else self.coefficients

    def tensor(self, name: str, coefficients: Tensor) -> Tensor:
        """The parameter `name`, made now; differentiable in the coefficients."""
        s = self.slices[name]
        rows = expand(self.basis, coefficients, s.start, s.stop).view(s.shape)
        return torch.add(self.prior(name), rows, alpha=s.scale)


def seeded_uniform(
    start: int, stop: int, *, seed: int, layer: int, device: torch.device
) -> Float[Tensor, " n"]:
    """Numbers start .. stop - 1 of a layer's uniform stream in (-1, 1), rounded to float32."""
    parts = []
    for first in range(start, stop, BLOCK_NUMBERS):
        last = min(first + BLOCK_NUMBERS, stop)
        call = first >> 2
        words = prng.random_words(
            torch.arange(call, -(-last // 4), device=device),
            seed=seed,
            stream=prng.STREAM_PRIOR,
            substream=layer,
        )
        lanes = torch.stack(words, dim=-1).view(-1).narrow(0, first - 4 * call, last - first)
        parts.append(((2 * lanes + 1).double() * 2.0**-32 - 1).float())
    return torch.cat(parts)
