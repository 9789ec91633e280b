"""One layer of a PRANC network: its parameters are slices of prior + scale * basis @ coefficients.

A layer is a module that owns parameters, at least one of which is generated. Layers are numbered in
the order of `named_modules`. The number is part of the random numbers' counter, and therefore part
of the file format. A parameter is generated in place, in blocks of rows, so this takes little more
memory than the parameter itself.
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
    """One parameter of a layer: its position among the layer's weights, scale and seeded prior."""

    name: str
    """Name within the layer, such as "weight"."""
    shape: torch.Size
    start: int
    """Index of its first weight in the layer."""
    stop: int
    """Index after its last weight in the layer."""
    scale: float
    """Factor by which basis @ coefficients is multiplied."""
    constant: float
    """If `bound` is 0, the seeded prior of every weight."""
    bound: float
    """If it is not 0, the seeded prior is uniform in (-bound, bound)."""


def slices_of(
    owner: nn.Module, excluded: Collection[str] = (), scales: Mapping[str, float] | None = None
) -> list[Slice]:
    """Return the slices of a layer's own parameters, in their order in the module.

    The prior of a parameter with two or more dimensions is uniform within +-1 / sqrt(fan_in),
    torch's default for linear and convolution layers. All parameters of a layer with such a
    parameter have the scale 1 / sqrt(3 fan_in) of the first one, and its one-dimensional parameters
    (biases) have the prior 0. In a layer with one-dimensional parameters only (normalization), the
    scale is 0.1, and the prior is 1 for the parameter called `weight` and 0 for others.

    excluded: names of parameters that are not generated. scales: scales that replace those above,
    by name. Names are relative to the layer.
    """
    named = [(name, p) for name, p in owner.named_parameters(recurse=False)]
    fans = [p[0].numel() for _, p in named if p.dim() > 1]
    default_scale = 1 / math.sqrt(fans[0]) / math.sqrt(3) if fans else 0.1
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
                scale=(scales or {}).get(name, default_scale),
                constant=1.0 if not fans and name == "weight" else 0.0,
                bound=1 / math.sqrt(parameter[0].numel()) if matrix else 0.0,
            )
        )
        start += parameter.numel()
    return out


class Layer(nn.Module):
    """Generates one layer's parameters from its coefficients, which start at zero.

    slices: the generated parameters. basis: a basis with as many weights as the slices have in
    total. seed: key of the seeded prior. number: the layer's number in the network. prior: tensors
    by their names in the layer, or None for the seeded prior. cache: keep the seeded prior in
    memory.
    """

    coefficients: nn.Parameter

    def __init__(
        self, slices: Sequence[Slice], basis: Basis, *, seed: int, number: int,
        prior: Mapping[str, Tensor] | None, cache: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.slices = {s.name: s for s in slices}
        self.basis, self.seed, self.number, self.cache = basis, seed, number, cache
        self.coefficients = nn.Parameter(torch.zeros(basis.coefficients, dtype=torch.float32))
        # A list, because nn.Module would register a parameter that is an attribute.
        self.temporary_coefficients: list[Tensor] = []
        self._has_prior = prior is not None
        self._cached_priors: dict[tuple[str, torch.device], Tensor] = {}
        for name, tensor in (prior or {}).items():
            self.register_buffer(f"prior_{name}", tensor.detach().clone(), persistent=False)

    def prior(self, name: str) -> Tensor:
        """Return the prior of the parameter `name`, given or from the seed, as a new tensor."""
        if self._has_prior:
            given: Tensor = getattr(self, f"prior_{name}")
            return given.clone(memory_format=torch.contiguous_format)
        if not self.cache:
            return self._seeded_prior(self.slices[name])
        key = (name, self.coefficients.device)
        if key not in self._cached_priors:
            self._cached_priors[key] = self._seeded_prior(self.slices[name])
        return self._cached_priors[key].clone()

    def _seeded_prior(self, s: Slice) -> Tensor:
        device = self.coefficients.device
        if s.bound == 0:
            return torch.full(s.shape, s.constant, device=device, dtype=torch.float32)
        uniform = seeded_uniform(s.start, s.stop, seed=self.seed, layer=self.number, device=device)
        return uniform.mul_(s.bound).view(s.shape)

    def current(self) -> Tensor:
        """Return the coefficients in use: those that `Pranc.using` set, else the trained ones."""
        return self.temporary_coefficients[-1] if self.temporary_coefficients else self.coefficients

    def tensor(self, name: str, coefficients: Tensor) -> Tensor:
        """Generate the parameter `name`, differentiable with respect to the coefficients."""
        out: Tensor = _Generate.apply(coefficients, self, name)  # type: ignore[no-untyped-call]
        return out

    def generate(self, name: str, coefficients: Float[Tensor, " k"]) -> Tensor:
        """Generate the parameter `name`, prior + scale * basis @ coefficients, without autograd."""
        s, out = self.slices[name], self.prior(name)
        flat = out.view(-1)
        for first in range(s.start, s.stop, BLOCK_ROWS):
            last = min(first + BLOCK_ROWS, s.stop)
            rows = self.basis.expand(coefficients, first, last)
            flat[first - s.start : last - s.start].add_(rows, alpha=s.scale)
        return out

    def project(self, name: str, gradient: Tensor) -> Float[Tensor, " k"]:
        """Return the gradient of the coefficients, given that of the parameter `name`."""
        s = self.slices[name]
        return self.basis.project(gradient.reshape(-1), s.start) * s.scale


class _Generate(torch.autograd.Function):
    """`Layer.generate`, whose gradient is `Layer.project`. It saves neither weights nor basis."""

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
    """Return numbers start .. stop - 1 of a layer's uniform stream in (-1, 1), as float32.

    Number i is (2 * word + 1) * 2**-32 - 1, rounded. Here, word is word i % 4 of index i // 4
    (`prng.random_words`) in stream `STREAM_PRIOR`, with the layer's number as the substream.
    """
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
