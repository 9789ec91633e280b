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

from pranc_codec.analysis import Analysis, LayerInfo, LevelInfo, analyze, inspect
from pranc_codec.bitstream import Header
from pranc_codec.decoder import decode, decode_array
from pranc_codec.encoder.duration import estimate_seconds
from pranc_codec.encoder.encode import encode
from pranc_codec.encoder.job import Progress
from pranc_codec.encoder.plan import Rule
from pranc_codec.errors import (
    BitstreamError,
    CorruptBitstream,
    EncodingCancelled,
    InvalidArgument,
    LimitExceeded,
    ModelMismatch,
    NotPranc,
    PrancError,
    TargetUnreachable,
    TruncatedBitstream,
    UnsupportedVersion,
)
from pranc_codec.image import Metadata
from pranc_codec.limits import Limits
from pranc_codec.owners import normalization
from pranc_codec.pranc import Counts, Pranc

__version__ = version("pranc-codec")

__all__ = [
    "Analysis",
    "BitstreamError",
    "CorruptBitstream",
    "Counts",
    "EncodingCancelled",
    "Header",
    "InvalidArgument",
    "LayerInfo",
    "LevelInfo",
    "LimitExceeded",
    "Limits",
    "Metadata",
    "ModelMismatch",
    "NotPranc",
    "Pranc",
    "PrancError",
    "Progress",
    "Rule",
    "TargetUnreachable",
    "TruncatedBitstream",
    "UnsupportedVersion",
    "analyze",
    "decode",
    "decode_array",
    "encode",
    "estimate_seconds",
    "inspect",
    "normalization",
]
