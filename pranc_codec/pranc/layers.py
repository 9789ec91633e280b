"""One layer of a PRANC network: parameters as slices of prior + scale * basis @ coefficients.

A parameter is made in blocks of rows, in place: making one takes its own memory and little more.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pranc_codec.basis import Basis, prng
from pranc_codec.basis.hash import BLOCK_ROWS


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


def slices_of(owner: nn.Module, excluded: Collection[str] = ()) -> list[Slice]:
    """Places, scales and seeded prior of a layer's own parameters, but for the excluded.

    Tensors of two or more dimensions: prior uniform within 1 / sqrt(fan_in), as torch's default
    for linear and convolution layers. Vectors beside them (biases): prior 0, the same scale.
    Vectors alone (normalization): prior 1 for `weight`, else 0, and scale 0.1.
    """
    named = [(name, p) for name, p in owner.named_parameters(recurse=False)]
    fans = [p[0].numel() for _, p in named if p.dim() > 1]
    bound = 1 / math.sqrt(fans[0]) if fans else 0.0
    out, start = [], 0
    for name, parameter in named:
        if name in excluded:
            continue
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
    """Makes one layer's parameters from its coefficients.

    prior: tensors by their names in the layer; without it the prior comes from the seed. hold:
    keep the basis and the prior in memory.
    """

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
        self._held_priors: dict[tuple[str, torch.device], Tensor] = {}
        for name, tensor in (prior or {}).items():
            self.register_buffer(f"prior_{name}", tensor.detach().clone(), persistent=False)

    def prior(self, name: str) -> Tensor:
        """A new tensor with the prior of a parameter: what was given, or made from the seed."""
        if self._has_prior:
            given: Tensor = getattr(self, f"prior_{name}")
            return given.clone(memory_format=torch.contiguous_format)
        if not self.hold:
            return self._seeded_prior(self.slices[name])
        key = (name, self.coefficients.device)
        if key not in self._held_priors:
            self._held_priors[key] = self._seeded_prior(self.slices[name])
        return self._held_priors[key].clone()

    def _seeded_prior(self, s: Slice) -> Tensor:
        device = self.coefficients.device
        if s.bound == 0:
            return torch.full(s.shape, s.constant, device=device, dtype=torch.float32)
        uniform = seeded_uniform(s.start, s.stop, seed=self.seed, layer=self.number, device=device)
        return uniform.mul_(s.bound).view(s.shape)

    def current(self) -> Tensor:
        """The coefficients in use: the parameter, or what `Pranc.using` puts in its place."""
        return self.substitutes[-1] if self.substitutes else self.coefficients

    def tensor(self, name: str, coefficients: Tensor) -> Tensor:
        """The parameter `name`, made now; differentiable in the coefficients."""
        out: Tensor = _Generate.apply(coefficients, self, name)  # type: ignore[no-untyped-call]
        return out

    def generate(self, name: str, coefficients: Float[Tensor, " k"]) -> Tensor:
        """prior + scale * basis @ coefficients."""
        s, out = self.slices[name], self.prior(name)
        flat = out.view(-1)
        for first in range(s.start, s.stop, BLOCK_ROWS):
            last = min(first + BLOCK_ROWS, s.stop)
            rows = self.basis.expand(coefficients, first, last)
            flat[first - s.start : last - s.start].add_(rows, alpha=s.scale)
        return out

    def project(self, name: str, gradient: Tensor) -> Float[Tensor, " k"]:
        """The coefficients' gradient from that of the parameter `name`."""
        s = self.slices[name]
        return self.basis.project(gradient.reshape(-1), s.start) * s.scale


class _Generate(torch.autograd.Function):
    """`Layer.generate` with `Layer.project` as its gradient; no weight and no basis is saved."""

    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, layer: Layer, name: str) -> Tensor:
        ctx.layer, ctx.name = layer, name
        return layer.generate(name, coefficients)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.layer.project(ctx.name, gradients[0]), None, None


def seeded_uniform(
    start: int, stop: int, *, seed: int, layer: int, device: torch.device
) -> Float[Tensor, " n"]:
    """Numbers start .. stop - 1 of a layer's uniform stream in (-1, 1), rounded to float32."""
    out = torch.empty(stop - start, device=device, dtype=torch.float32)
    for first in range(start, stop, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, stop)
        call = first >> 2
        words = prng.random_words(
            torch.arange(call, -(-last // 4), device=device),
            seed=seed,
            stream=prng.STREAM_PRIOR,
            substream=layer,
        )
        lanes = torch.stack(words, dim=-1).view(-1).narrow(0, first - 4 * call, last - first)
        out[first - start : last - start] = (2 * lanes + 1).double() * 2.0**-32 - 1
    return out
