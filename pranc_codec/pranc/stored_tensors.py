"""Convert excluded parameters and buffers, which are stored and not generated, to bytes and back.

The layout is that of section `tensors` in `file_format`.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from pranc_codec.errors import CorruptBitstream, InvalidArgument
from pranc_codec.format.sections import inflate
from pranc_codec.pranc.module_tensors import TensorInfo

GENERATED: Final = 0
AS_PRIOR: Final = 1
OWN_TYPE: Final = 2
HALF: Final = 3
FLOATS: Final = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS: Final = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
HALF_PRECISION: Final = 2.0**-11


def pack_tensors(
    infos: Sequence[TensorInfo], state: Mapping[str, Tensor], prior: Mapping[str, Tensor],
    *, half: bool,
) -> bytes:  # fmt: skip
    """Return the payload of section `tensors`; `unpack_tensors` is the inverse.

    The payload is empty if `state` is empty. infos: all tensors of the module. state: those that
    are not generated. prior: tensors that equal the prior's take no bytes. half: store float32 and
    float64 as float16 where that keeps 11 bits of the tensor's largest magnitude.
    """
    if not state:
        return b""
    kinds, elements = bytearray(), bytearray()
    for info in infos:
        tensor = state.get(info.name)
        kinds.append(_kind(tensor, prior.get(info.name), half=half))
        if tensor is not None and kinds[-1] in (OWN_TYPE, HALF):
            elements += tensor_to_bytes(tensor.half() if kinds[-1] == HALF else tensor)
    return zlib.compress(bytes(kinds + elements), 9)


def unpack_tensors(
    payload: bytes, infos: Sequence[TensorInfo], prior: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the tensors that are not generated, by name; inverse of `pack_tensors`.

    Raises CorruptBitstream for a payload that no writer makes for these tensors and this prior,
    and LimitExceeded for a payload that decompresses to more bytes than the tensors have.
    """
    largest = sum(_bytes_of(info, info.dtype) for info in infos)
    data = inflate(payload, len(infos) + largest, "tensors")
    kinds = data[: len(infos)]
    types = [_stored_type(k, i, prior) for k, i in zip(kinds, infos, strict=False)]
    sizes = [_bytes_of(i, t) if t else 0 for i, t in zip(infos, types, strict=False)]
    if len(data) != len(infos) + sum(sizes):
        raise CorruptBitstream(
            f"section 'tensors' has {len(data)} bytes instead of {len(infos) + sum(sizes)}"
        )
    out, position = {}, len(infos)
    for info, kind, dtype, size in zip(infos, kinds, types, sizes, strict=True):
        if dtype is not None:
            stored = tensor_from_bytes(data[position : position + size], dtype, info.shape)
            out[info.name] = stored.to(info.dtype)
        elif kind == AS_PRIOR:
            out[info.name] = prior[info.name].detach().clone()
        position += size
    return out


def tensor_to_bytes(tensor: Tensor) -> bytes:
    """Return a tensor's elements in row-major order, little-endian.

    `tensor_from_bytes` is the inverse. The byte order is not converted, because all machines that
    torch runs on are little-endian.
    """
    if tensor.dtype not in FLOATS + INTEGERS:
        raise InvalidArgument(f"tensors of {tensor.dtype} are not supported")
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def tensor_from_bytes(data: bytes, dtype: torch.dtype, shape: torch.Size) -> Tensor:
    """Return a tensor from the bytes that `tensor_to_bytes` writes.

    Raises CorruptBitstream for a boolean that is neither 0 nor 1.
    """
    if not data:
        return torch.empty(shape, dtype=dtype)
    raw = np.frombuffer(data, dtype=np.uint8).copy()
    if dtype == torch.bool and raw.max() > 1:
        raise CorruptBitstream("a boolean of section 'tensors' is neither 0 nor 1")
    return torch.from_numpy(raw).view(dtype).reshape(shape)


def _kind(tensor: Tensor | None, prior: Tensor | None, *, half: bool) -> int:
    if tensor is None:
        return GENERATED
    if prior is not None and torch.equal(prior.to(tensor.device), tensor):
        return AS_PRIOR
    return HALF if half and _half_suffices(tensor) else OWN_TYPE


def _half_suffices(tensor: Tensor) -> bool:
    """Whether float16 takes fewer bytes and keeps 11 bits of the largest magnitude."""
    if tensor.dtype not in (torch.float32, torch.float64) or not tensor.numel():
        return False
    error = (tensor.half().to(tensor.dtype) - tensor).abs().max()
    return bool(error <= HALF_PRECISION * tensor.abs().max())


def _stored_type(kind: int, info: TensorInfo, prior: Mapping[str, Tensor]) -> torch.dtype | None:
    """Return the type of a tensor's elements in the file, or None if it is not stored."""
    legal = {
        GENERATED: info.parameter and info.dtype == torch.float32,
        AS_PRIOR: info.name in prior,
        OWN_TYPE: True,
        HALF: info.dtype in FLOATS,
    }
    if not legal.get(kind, False):
        raise CorruptBitstream(f"tensor {info.name} has the illegal kind {kind}")
    return {OWN_TYPE: info.dtype, HALF: torch.float16}.get(kind)


def _bytes_of(info: TensorInfo, dtype: torch.dtype) -> int:
    return info.numbers * dtype.itemsize
