"""Priors of the grid profile: networks that were trained on photographs.

A prior is one safetensors file. It holds the context model in integers (written by
`training.pack_prior`, read by `context_int_net.phase_network_of`) and the enhancement network in
float16. Its metadata states the architecture (`architecture`). A .pranc file names its prior by the
hash of the prior's file, so a prior never changes: a better prior is another file, and the old ones
stay.

The encoder has two roles for priors: `plain` for unchanged transform coefficients, and `fitted` for
fitted latents, because their symbols have other distributions. At present, one prior has both.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

import torch
from safetensors.torch import load as load_tensors
from torch import Tensor

from pranc_codec.errors import UnsupportedVersion
from pranc_codec.grid.architecture import ARCHITECTURE_1, Architecture
from pranc_codec.grid.context import UNIT, ContextModel
from pranc_codec.grid.context_int_net import IntegerContext
from pranc_codec.grid.enhancement import EnhancementNetwork, layer_channels

SHIPPED: Final = tuple(f"grid-{number}.safetensors" for number in (1, 3, 4, 5, 6))
"""Files in the folder `priors`. A .pranc file that names one of these can be decoded."""
PLAIN: Final = "grid-6.safetensors"
FITTED: Final = "grid-6.safetensors"
"""At present this is the same prior; the model card says what a separate one would gain."""
ENHANCEMENT_KEYS: Final = {"synthesis.layers.": "layers.", "synthesis.offsets.": "biases."}
"""Prefixes of the enhancement network's tensors in a prior's file -> prefixes in the module."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GridPrior:
    """A prior: the number that identifies it, its tensors, and its networks' architecture."""

    number: int
    tensors: dict[str, Tensor]
    architecture: Architecture = ARCHITECTURE_1

    @classmethod
    def from_bytes(cls, data: bytes) -> "GridPrior":
        """Read a prior from the bytes of a safetensors file.

        Raises UnsupportedVersion if the file states an architecture that this release lacks.
        """
        return cls(
            number=int.from_bytes(hashlib.sha256(data).digest()[:4], "little"),
            tensors=dict(load_tensors(data)),
            architecture=Architecture.from_metadata(_metadata_of(data)),
        )

    @property
    def biases_count(self) -> int:
        """Number of the enhancement network's biases, which a file's coefficients may change."""
        return sum(layer_channels(self.architecture))

    def enhancement(self) -> EnhancementNetwork:
        """Return the enhancement network with the prior's weights, which need no gradient."""
        with torch.device("meta"):  # draws no random numbers
            network = EnhancementNetwork(self.architecture)
        weights = {
            name.replace(stored, own): tensor.float()
            for name, tensor in self.tensors.items()
            for stored, own in ENHANCEMENT_KEYS.items()
            if name.startswith(stored)
        }
        network.load_state_dict(weights, assign=True)
        return network.requires_grad_(False)

    def float_context(self) -> ContextModel:
        """Return the context model in floating point, with the weights of the integer form."""
        tensors = self.tensors
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
            model = ContextModel(self.architecture)
        weights = {}
        for name in model.state_dict():
            prefix, part = f"context.{name.removeprefix('networks.')}".rsplit(".", 1)
            shifts = tensors[f"{prefix.replace('direct', 'last')}.shift"]
            unit = torch.exp2(-shifts.float())
            value = tensors[f"{prefix}.{part}"].float()
            weights[name] = value * (unit * UNIT if part == "bias" else unit[:, None, None, None])
        model.load_state_dict(weights)
        return model

    def context(self, device: torch.device) -> IntegerContext:
        """Return the integer context model on a device; it is cached for each device."""
        return _context_of(self, device)


def _metadata_of(data: bytes) -> dict[str, str]:
    """Return the metadata of a safetensors file, which begins with a length and a JSON header."""
    length = int.from_bytes(data[:8], "little")
    metadata: dict[str, str] = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    return metadata


@lru_cache(maxsize=2 * len(SHIPPED))
def _context_of(prior: GridPrior, device: torch.device) -> IntegerContext:
    return IntegerContext(prior.tensors, device, prior.architecture)


def plain() -> GridPrior:
    """Return the prior that the encoder uses for transform coefficients without a fit."""
    return _shipped(PLAIN)


def fitted() -> GridPrior:
    """Return the prior that the encoder uses for fitted latents."""
    return _shipped(FITTED)


def load(number: int) -> GridPrior:
    """Return the prior with a number. Raises UnsupportedVersion if this release lacks it."""
    for name in reversed(SHIPPED):
        prior = _shipped(name)
        if prior.number == number:
            return prior
    known = ", ".join(f"{_shipped(name).number:08x}" for name in SHIPPED)
    raise UnsupportedVersion(
        f"the file needs prior {number:08x}, but this release has {known}: upgrade pranc_codec"
    )


@lru_cache(maxsize=len(SHIPPED))
def _shipped(name: str) -> GridPrior:
    return GridPrior.from_bytes((files("pranc_codec.grid") / "priors" / name).read_bytes())
