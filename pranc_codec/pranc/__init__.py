"""PRANC for any torch module: weights = prior + scale * basis(seed) @ coefficients.

model            `Pranc`, the module whose parameters are generated
make_layers      builds the layers of a module, with their bases and priors
layers           generates one layer's weights from its coefficients
lazy_weights     parameters that exist only while a layer uses them
module_tensors   which tensors a module has, which are generated, which are refused
rate_model       quantization during training, and the rate of coefficients
file             converts a model to bytes and back; `file_format` specifies the bytes
stored_tensors   converts excluded parameters and buffers to bytes and back
fingerprint      tells whether a module and a prior are those of a file
"""

from pranc_codec.pranc.model import Counts, Pranc
from pranc_codec.pranc.module_tensors import normalization

__all__ = ["Counts", "Pranc", "normalization"]
