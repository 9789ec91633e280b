"""An image codec in which a network is fitted to each image and the network is the file.

>>> import pranc_codec
>>> data = pranc_codec.encode("photo.png", bpp=0.1)
>>> image = pranc_codec.decode(data)

Weights are PRANC weights (arXiv 2206.08464): prior + scale * basis(seed) @ coefficients. A file of
the mlp profile holds the seed and the coefficients of all weights; one of the grid profile, the
default, holds latents under a trained prior and coefficients of the network's offsets.
`import pranc_codec.pillow_plugin` teaches Pillow the format.
"""

from importlib.metadata import version
from typing import Final

import lazy_loader

NAMES: Final = {
    "analysis": ["Analysis", "LayerInfo", "LevelInfo", "analyze", "inspect"],
    "format.bitstream": ["Header"],
    "decoder": ["decode", "decode_array"],
    "encoder.estimate": ["estimate_seconds"],
    "encoder.encode": ["encode"],
    "encoder.request": ["Progress"],
    "encoder.mlp.plan": ["Rule"],
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
}
"""The public names by their modules, which are imported with the first name that is used."""

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs=NAMES)
__version__ = version("pranc-codec")
