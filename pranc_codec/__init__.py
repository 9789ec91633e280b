"""An image codec in which a network is fitted to each image and the network is the file.

>>> import pranc_codec
>>> data = pranc_codec.encode("photo.png", bpp=0.1)
>>> image = pranc_codec.decode(data)

Weights are PRANC weights (arXiv 2206.08464): prior + scale * basis(seed) @ coefficients. A file of
the mlp profile holds the seed and the coefficients of all weights; one of the grid profile, the
default, holds latents under a trained prior and coefficients of the enhancement network's biases.
`import pranc_codec.pillow_plugin` teaches Pillow the format.
"""

from importlib.metadata import version
from typing import Any, Final

import lazy_loader

from pranc_codec.errors import warn_renamed

NAMES: Final = {
    "analysis": ["Analysis", "analyze", "inspect"],
    "format.bitstream": ["Header"],
    "decoder": ["decode", "decode_array"],
    "encoder.estimate": ["estimate_seconds"],
    "encoder.encode": ["encode"],
    "encoder.request": ["Progress"],
    "encoder.mlp.plan": ["MlpRule"],
    "errors": [
        "BitstreamError",
        "CorruptBitstream",
        "EncodingCancelled",
        "InvalidArgument",
        "LimitExceeded",
        "ModelMismatch",
        "NotPranc",
        "PrancError",
        "TargetUnreachable",
        "TruncatedBitstream",
        "UnsupportedVersion",
    ],
    "format.metadata": ["Metadata"],
    "limits": ["Limits"],
    "pranc.module_tensors": ["normalization"],
    "pranc.model": ["Counts", "Pranc"],
    "profile": ["LayerInfo", "LevelInfo"],
}
"""The public names by module. A module is imported when one of its names is first used."""

RENAMED: Final = {"Rule": "MlpRule"}
"""Former public names, which work until the next version."""

_attribute, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs=NAMES)


def __getattr__(name: str) -> Any:
    """Import and return a public name; a former name also gives a DeprecationWarning."""
    if name in RENAMED:
        warn_renamed(f"pranc_codec.{name}", RENAMED[name])
    return _attribute(RENAMED.get(name, name))


__version__ = version("pranc-codec")
