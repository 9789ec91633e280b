"""Fingerprints that tell whether a module and a prior are those that a file was written for.

module      SHA-256 of one line of text for each tensor, in the order of `file_format`:
            "NAME DTYPE SIZE,SIZE,...", then " SCALE" in the format of Python's float.hex if a scale
            was given for the tensor; each line ends in a line feed
prior       SHA-256 of, for each tensor of the module that the prior has: "NAME", a line feed,
            its elements (`stored_tensors.tensor_to_bytes`)

Both fingerprints are the first 8 bytes of their hash. DTYPE is torch's name of the type without
"torch.", such as float32.
"""

import hashlib
from collections.abc import Mapping, Sequence

from torch import Tensor

from pranc_codec.pranc.file_format import FINGERPRINT_BYTES
from pranc_codec.pranc.module_tensors import TensorInfo
from pranc_codec.pranc.stored_tensors import tensor_to_bytes


def fingerprint_of_module(infos: Sequence[TensorInfo], scales: Mapping[str, float]) -> bytes:
    """Return the fingerprint of names, types and shapes of the tensors and of the given scales."""
    digest = hashlib.sha256()
    for info in infos:
        sizes = ",".join(map(str, info.shape))
        scale = f" {float(scales[info.name]).hex()}" if info.name in scales else ""
        digest.update(f"{info.name} {str(info.dtype)[6:]} {sizes}{scale}\n".encode())
    return digest.digest()[:FINGERPRINT_BYTES]


def fingerprint_of_prior(infos: Sequence[TensorInfo], prior: Mapping[str, Tensor]) -> bytes:
    """Return the fingerprint of the prior's values for the module's tensors."""
    digest = hashlib.sha256()
    for info in infos:
        if info.name in prior:
            digest.update(f"{info.name}\n".encode() + tensor_to_bytes(prior[info.name]))
    return digest.digest()[:FINGERPRINT_BYTES]
