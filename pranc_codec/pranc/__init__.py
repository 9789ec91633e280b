"""PRANC for any torch module: weights = prior + scale * basis(seed) @ coefficients.

model            `Pranc`, the module whose parameters are generated
layers           one layer's weights from its coefficients
lazy_weights     parameters that exist only while a layer uses them
module_tensors   which tensors a module has, which are generated, which are refused
rate_model       quantization while training, and the rate of coefficients
file             a model as bytes; `file_format` specifies these
stored_tensors   excluded parameters and buffers as bytes
fingerprint      tells whether a module and a prior are those of a file
"""

from pranc_codec.pranc.model import Counts, Pranc
from pranc_codec.pranc.module_tensors import normalization

__all__ = ["Counts", "Pranc", "normalization"]
