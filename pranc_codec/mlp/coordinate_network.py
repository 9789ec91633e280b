"""The coordinate network of the mlp profile: (x, y) -> colours.

    features = sin(frequencies (x, y) + phases)       these come from the seed and cost no bits
    hidden   = sin(W h + b), `depth` times
    colours  = W h + b

It is SIREN (Sitzmann et al., NeurIPS 2020, section 3.2) on Fourier features (Tancik et al., NeurIPS
2020). SIREN multiplies by w0 inside the sine; here, w0 is part of the weights.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pranc_codec.basis import prng
from pranc_codec.precision import float32_everywhere

OUTPUT_BOUND: Final = 2 / 15
"""Bound of the output layer's prior, in units of sqrt(6 / width). It is small, so that the network
starts near a constant."""
ACTIVATIONS_AT_ONCE: Final = 1 << 21


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Size of a coordinate network.

    features: number of Fourier features. bandwidth: their largest frequency, in radians. width:
    channels of a sine layer. depth: number of sine layers. colours: 1 or 3.
    """

    features: int
    bandwidth: float
    width: int
    depth: int
    colours: int

    @property
    def channels(self) -> int:
        """Number of channels of the widest layer, features included."""
        return max(self.features, self.width, self.colours)

    @property
    def weights(self) -> int:
        """Number of weights and biases of all layers."""
        return sum(layer_sizes(self))


def layer_sizes(shape: Shape) -> list[int]:
    """Return the number of weights and biases of each layer, hidden layers first."""
    widths = [shape.features, *[shape.width] * shape.depth, shape.colours]
    return [(inputs + 1) * outputs for inputs, outputs in pairwise(widths)]


class _Sine(torch.autograd.Function):
    """sin(x W^T + b). The backward pass reuses the memory of the sine's saved argument."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        z = torch.addmm(bias, x, weight.T)
        ctx.save_for_backward(x, weight, z)
        return z.sin()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight, z = ctx.saved_tensors
        g = z.cos().mul_(gradients[0])
        return g @ weight if ctx.needs_input_grad[0] else None, g.T @ x, g.sum(0)


class SineLayer(nn.Module):
    """A layer that computes sin(W h + b)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, h: Float[Tensor, "points inputs"]) -> Float[Tensor, "points outputs"]:
        out: Tensor = _Sine.apply(h, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return out


class CoordinateMLP(nn.Module):
    """A coordinate network. `pranc.Pranc` generates its parameters from coefficients."""

    frequencies: Tensor
    phases: Tensor

    def __init__(self, shape: Shape, *, seed: int) -> None:
        super().__init__()
        self.shape = shape
        uniform = torch.from_numpy(
            prng.uniform(3 * shape.features, seed=seed, stream=prng.STREAM_FEATURES)
        ).float()
        frequencies = uniform[: 2 * shape.features].view(-1, 2) * shape.bandwidth
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.register_buffer("phases", uniform[2 * shape.features :] * math.pi, persistent=False)
        widths = [shape.features, *[shape.width] * shape.depth]
        self.hidden = nn.Sequential(*(SineLayer(a, b) for a, b in pairwise(widths)))
        self.output = nn.Linear(shape.width, shape.colours)

    def forward(self, coords: Float[Tensor, "points 2"]) -> Float[Tensor, "points colours"]:
        features = torch.addmm(self.phases, coords, self.frequencies.T).sin_()
        colours: Tensor = self.output(self.hidden(features))
        return colours


def bounds(shape: Shape) -> dict[str, float]:
    """Return the bound of each parameter's seeded prior, which is uniform in (-bound, bound).

    Hidden weights have SIREN's sqrt(6 / inputs), hidden biases 1 / sqrt(inputs).
    """
    out = {}
    for layer in range(shape.depth):
        inputs = shape.width if layer else shape.features
        out[f"hidden.{layer}.weight"] = math.sqrt(6 / inputs)
        out[f"hidden.{layer}.bias"] = 1 / math.sqrt(inputs)
    out["output.weight"] = OUTPUT_BOUND * math.sqrt(6 / shape.width)
    out["output.bias"] = 0.1
    return out


def scales(shape: Shape) -> dict[str, float]:
    """Return the PRANC scale of each parameter: the standard deviation of its seeded prior."""
    return {name: bound / math.sqrt(3) for name, bound in bounds(shape).items()}


def seeded_prior(shape: Shape, *, seed: int) -> dict[str, Tensor]:
    """Return SIREN's initialization, made from integer random numbers.

    The bias of the output layer is 0.5, so the network starts near mid-grey.
    """
    prior = {}
    module = CoordinateMLP(shape, seed=seed)
    for number, (name, parameter) in enumerate(module.named_parameters()):
        values = prng.uniform(
            parameter.numel(), seed=seed, stream=prng.STREAM_PRIOR, substream=number
        )
        prior[name] = torch.from_numpy(values * bounds(shape)[name]).float().view(parameter.shape)
    prior["output.bias"] = torch.full_like(prior["output.bias"], 0.5)
    return prior


def pixel_coords(
    size: tuple[int, int],
    region: tuple[int, int, int, int],
    points: tuple[int, int],
    device: torch.device,
) -> Float[Tensor, "points 2"]:
    """Return the coordinates of pixel centres, x then y; the whole image is [-1, 1]^2.

    size: (width, height) of the whole image. region: a window (left, top, right, bottom), as in
    Pillow. points: (first, last) selects the window's pixels first .. last - 1, row by row.
    """
    (width, height), (left, top, right, _) = size, region
    index = torch.arange(*points, device=device)
    x = left + index % (right - left)
    y = top + index // (right - left)
    # The numerators are exact integers in float64.
    centres = ((2 * x + 1).double() / width - 1, (2 * y + 1).double() / height - 1)
    return torch.stack(centres, dim=-1).float()


@torch.no_grad()
def render(
    network: nn.Module,
    size: tuple[int, int],
    region: tuple[int, int, int, int],
    device: torch.device,
    *,
    channels: int,
) -> Float[Tensor, "h w colours"]:
    """Render the samples of a window at any resolution, not clipped.

    size, region: as for `pixel_coords`. channels: number of channels of the network's widest layer;
    it decides how many pixels are computed at once.
    """
    left, top, right, bottom = region
    total = (bottom - top) * (right - left)
    strip = max(1, ACTIVATIONS_AT_ONCE // channels)
    with float32_everywhere():
        parts = [
            network(pixel_coords(size, region, (first, min(first + strip, total)), device))
            for first in range(0, total, strip)
        ]
    return torch.cat(parts).view(bottom - top, right - left, -1)
