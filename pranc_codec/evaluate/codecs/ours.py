"""The codec of this package, behind the interface of an evaluation."""

import importlib
from functools import partial
from importlib.metadata import PackageNotFoundError, version as version_of
from types import ModuleType
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.codecs.codec import Codec, Settings

PARAMETERS: Final = {  # profile: the parameter of its curve, and the default values
    "grid": ("quality", (1, 4, 10, 18, 27, 37, 48, 60)),
    "mlp": ("bpp", (0.05, 0.1, 0.2, 0.4)),
}


def encode_pranc(image: Image.Image, settings: Settings, *, profile: str) -> bytes:
    """Call `pranc_codec.encode` with the settings as keyword arguments."""
    data: bytes = _public().encode(image, profile=profile, **settings)
    return data


def decode_pranc(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Call `pranc_codec.decode_array`."""
    pixels: np.ndarray = _public().decode_array(data)
    return pixels


def pranc(profile: str) -> Codec:
    """Return a profile of this package. Its settings are the arguments of `pranc_codec.encode`.

    Raises InvalidArgument if the package is not installed, because results name its version.
    """
    name = f"pranc-{profile}"
    try:
        versions = [version_of(package) for package in ("pranc-codec", "torch", "constriction")]
    except PackageNotFoundError as error:
        raise InvalidArgument(
            f"{name} has no version, because the package {error.name} is not installed: "
            "run 'pip install -e .' in its source tree"
        ) from error
    prior = f", prior {_prior_numbers()}" if profile == "grid" else ""
    parameter, points = PARAMETERS[profile]
    return Codec(
        name=name,
        version="{}{}; torch {}, constriction {}".format(versions[0], prior, *versions[1:]),
        encode=partial(encode_pranc, profile=profile),
        decode=decode_pranc,
        parameter=parameter,
        points=points,
        settings={"effort": "default"},
        warm_up={"quality": 50, "effort": 0},
        suffix=".pranc",
    )


def _public() -> ModuleType:
    """Return the package itself. It is imported late because it is a layer above this module."""
    return importlib.import_module("pranc_codec")


def _prior_numbers() -> str:
    """Return the numbers of the priors that the encoder uses, in hex.

    Their module is imported late because it loads PyTorch, which other codecs do not need.
    """
    from pranc_codec.grid import prior as priors

    used = dict.fromkeys([priors.plain().number, priors.fitted().number])
    return " ".join(f"{number:08x}" for number in used)
