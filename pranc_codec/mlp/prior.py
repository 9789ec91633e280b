"""Priors of the mlp profile: the weights of a network whose coefficients are all zero.

Prior 0 is made from the file's seed. Other priors would be meta-learned on photographs
(`training.meta_prior`) and ship as safetensors files beside this module, each for one network
shape; at present there are none. The numbers of priors are part of the format and never change.
"""

from functools import lru_cache
from importlib.resources import files

from safetensors.torch import load as load_tensors
from torch import Tensor

from pranc_codec.errors import UnsupportedVersion
from pranc_codec.mlp.coordinate_network import Shape, seeded_prior

SHIPPED: dict[int, str] = {}
"""Names of the shipped priors' files, by number."""


def load(number: int, shape: Shape, *, seed: int) -> dict[str, Tensor]:
    """Return the parameters of a prior.

    number: the prior's number in the header. Raises UnsupportedVersion if this release does not
    have that prior.
    """
    if number == 0:
        return seeded_prior(shape, seed=seed)
    if number not in SHIPPED:
        raise UnsupportedVersion(f"prior {number} is unknown to this release: upgrade pranc_codec")
    return dict(_shipped(number))


@lru_cache(maxsize=4)
def _shipped(number: int) -> dict[str, Tensor]:
    data = (files(__package__) / SHIPPED[number]).read_bytes()
    return {name: tensor.float() for name, tensor in load_tensors(data).items()}
