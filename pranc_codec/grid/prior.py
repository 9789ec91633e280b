"""The prior of the grid profile: networks that were trained on photographs.

One safetensors file holds the context model in integers (`exact_network.step_of` says how) and the
residual network in float16. A file names its prior by the hash of that file, so a prior never
changes: a better one is another file, and the old ones stay.

The encoder asks for two: `plain` for transform coefficients as they are, `fitted` for latents that
a fit has changed, whose symbols are distributed otherwise.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

import torch
from safetensors.torch import load as load_tensors
from torch import Tensor

from pranc_codec.errors import UnsupportedVersion
from pranc_codec.grid.context import UNIT, ContextModel
from pranc_codec.grid.context_int_net import ExactContext

SHIPPED: Final = tuple(f"grid-{number}.safetensors" for number in (1, 3, 4, 5, 6))
"""Files beside this one: what can be decoded."""
PLAIN: Final = "grid-6.safetensors"
FITTED: Final = "grid-6.safetensors"
"""The same at present: the model card says what one of its own would bring."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GridPrior:
    """Tensors of a prior, and the number that names it."""

    number: int
    tensors: dict[str, Tensor]

    def synthesis(self) -> dict[str, Tensor]:
        """Weights of the residual network."""
        return part(self.tensors, "synthesis.")

    def float_context(self) -> ContextModel:
        """The context model in floating point, with the weights of the integer form."""
        tensors = self.tensors
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
            model = ContextModel()
        weights = {}
        for name in model.state_dict():
            prefix, part = f"context.{name.removeprefix('networks.')}".rsplit(".", 1)
            shifts = tensors[f"{prefix.replace('direct', 'last')}.shift"]
            unit = torch.exp2(-shifts.float())
            value = tensors[f"{prefix}.{part}"].float()
            weights[name] = value * (unit * UNIT if part == "bias" else unit[:, None, None, None])
        model.load_state_dict(weights)
        return model

    def context(self, device: torch.device) -> ExactContext:
        """The context model, ready to code with; remembered for each device."""
        return _context_of(self, device)


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors below a prefix, as float32."""
    return {n.removeprefix(prefix): t.float() for n, t in tensors.items() if n.startswith(prefix)}


@lru_cache(maxsize=2 * len(SHIPPED))
def _context_of(prior: GridPrior, device: torch.device) -> ExactContext:
    return ExactContext(prior.tensors, device)


def plain() -> GridPrior:
    """What the encoder uses for transform coefficients as they are."""
    return _shipped(PLAIN)


def fitted() -> GridPrior:
    """What the encoder uses for fitted latents."""
    return _shipped(FITTED)


def load(number: int) -> GridPrior:
    """The prior that a file names."""
    for name in reversed(SHIPPED):
        prior = _shipped(name)
        if prior.number == number:
            return prior
    known = ", ".join(f"{_shipped(name).number:08x}" for name in SHIPPED)
    raise UnsupportedVersion(
        f"the file needs prior {number:08x}, this release has {known}: upgrade pranc_codec"
    )


@lru_cache(maxsize=len(SHIPPED))
def _shipped(name: str) -> GridPrior:
    data = (files("pranc_codec.grid") / "priors" / name).read_bytes()
    number = int.from_bytes(hashlib.sha256(data).digest()[:4], "little")
    return GridPrior(number=number, tensors=dict(load_tensors(data)))
