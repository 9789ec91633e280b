"""Priors of the mlp profile: what the weights are when all coefficients are zero.

Prior 0 comes from the file's seed. Others may be meta-learned on photographs
(`training/meta_prior.py`) and ship as safetensors beside this file, each for one network shape;
there is none at present. Their numbers are part of the format and never change. The prior of the
grid profile is in `grid`.
"""

from functools import lru_cache
from importlib.resources import files

from safetensors.torch import load as load_tensors
from torch import Tensor

from pranc_codec.errors import UnsupportedVersion
from pranc_codec.mlp.coordinate_network import Shape, seeded_prior

SHIPPED: dict[int, str] = {}
"""File of each shipped prior's number."""


def load(number: int, shape: Shape, *, seed: int) -> dict[str, Tensor]:
    """Parameters of a prior by its number in the header."""
    if number == 0:
        return seeded_prior(shape, seed=seed)
    if number not in SHIPPED:
        raise UnsupportedVersion(f"prior {number} is unknown to this release: upgrade pranc_codec")
    return dict(_shipped(number))


@lru_cache(maxsize=4)
def _shipped(number: int) -> dict[str, Tensor]:
    data = (files(__package__) / SHIPPED[number]).read_bytes()
    return {name: tensor.float() for name, tensor in load_tensors(data).items()}
