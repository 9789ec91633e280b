"""Make the codec's arithmetic independent of the caller's torch settings."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from threading import Lock
from typing import Any, Final

import torch

HAS_PARTS: Final = hasattr(torch.backends.cuda.matmul, "fp32_precision")
"""Newer releases of torch have one setting for each kind of product and do not allow mixing these
with the older settings."""
_lock: Final = Lock()
_saved: list[Any] = []
_inside = 0


@contextmanager
def float32_everywhere() -> Iterator[None]:
    """Shield computations from the caller's autocast, TF32, default type and default device.

    The first thread that enters saves the settings of the process, and the last thread that leaves
    restores them, so threads may enter and leave in any order.
    """
    _enter()
    try:
        with ExitStack() as stack:
            for device in ("cpu", "cuda"):
                stack.enter_context(torch.autocast(device, enabled=False))
            if torch.get_default_device().type != "cpu":
                stack.enter_context(torch.device("cpu"))
            yield
    finally:
        _leave()


def bfloat16_products(device: torch.device) -> torch.autocast:
    """Return a context that computes products and convolutions in bfloat16 if the hardware can.

    Other hardware would emulate bfloat16, which takes several times as long as float32.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=_computes_in_bfloat16(device.type))


@lru_cache
def _computes_in_bfloat16(device_type: str) -> bool:
    if device_type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return device_type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def _enter() -> None:
    global _inside
    with _lock:
        if _inside == 0:
            _saved[:] = torch.get_default_dtype(), _precisions()
            torch.set_default_dtype(torch.float32)
            _set_precisions(["ieee"] * len(_parts()) if HAS_PARTS else ["highest", False])
        _inside += 1


def _leave() -> None:
    global _inside
    with _lock:
        _inside -= 1
        if _inside == 0:
            kind, precisions = _saved
            torch.set_default_dtype(kind)
            _set_precisions(precisions)


def _parts() -> list[Any]:
    """The objects in which torch keeps the precision of products."""
    b: Any = torch.backends
    return [b.cuda.matmul, b.cudnn.conv, b.mkldnn.matmul, b.mkldnn.conv]


def _precisions() -> list[Any]:
    """The caller's settings."""
    if HAS_PARTS:
        return [part.fp32_precision for part in _parts()]
    return [torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32]


def _set_precisions(values: list[Any]) -> None:
    if HAS_PARTS:
        for part, value in zip(_parts(), values, strict=True):
            part.fp32_precision = value
    else:
        torch.set_float32_matmul_precision(values[0])
        torch.backends.cudnn.allow_tf32 = values[1]
