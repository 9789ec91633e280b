"""Parameters that exist while they are used: made when they are read, dropped after the layer.

An owner's parameters become properties of its class. What autograd would save of a generated
weight for the backward pass is replaced by a recipe, and made again there.
"""

import weakref
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from pranc_codec.pranc.layers import Layer

# Weights that exist right now, by the address of their storage: what `_pack` recognizes.
_alive: dict[int, tuple[Layer, str, Tensor]] = {}


def generate_on_access(owner: nn.Module, layer: Layer) -> None:
    """Replace an owner's parameters by properties that make them from `layer`."""
    made = {name: property(partial(_make, name=name)) for name in layer.slices}
    for name in layer.slices:
        del owner._parameters[name]
    object.__setattr__(owner, "_pranc", layer)
    owner.__class__ = type(type(owner).__name__, (type(owner),), made)


def recipes_instead_of_weights() -> saved_tensors_hooks:
    """A context in which autograd saves no generated weight, and makes it again in backward."""
    return saved_tensors_hooks(_pack, _unpack)


def _make(owner: nn.Module, name: str) -> Tensor:
    """The parameter `name` of an owner, remembered for `_pack` as long as it lives."""
    layer = owner._pranc
    assert isinstance(layer, Layer)
    coefficients = layer.current()
    tensor = layer.tensor(name, coefficients)
    if layer.hold:
        return tensor
    address = tensor.untyped_storage().data_ptr()
    _alive[address] = (layer, name, coefficients.detach())
    weakref.finalize(tensor, _alive.pop, address, None)
    return tensor


@dataclass(frozen=True)
class _Recipe:
    """How to make a saved tensor again: a view of one of a layer's parameters."""

    layer: Layer
    name: str
    coefficients: Tensor
    size: torch.Size
    stride: tuple[int, ...]
    offset: Any


def _pack(tensor: Tensor) -> Tensor | _Recipe:
    source = _alive.get(tensor.untyped_storage().data_ptr())
    other_numbers = tensor.dtype != torch.float32 or tensor.is_conj() or tensor.is_neg()
    if source is None or other_numbers:  # views as complex numbers, and views of these
        return tensor
    return _Recipe(*source, tensor.size(), tensor.stride(), tensor.storage_offset())


def _unpack(saved: Tensor | _Recipe) -> Tensor:
    if isinstance(saved, Tensor):
        return saved
    with torch.no_grad():
        made = saved.layer.tensor(saved.name, saved.coefficients)
    return made.as_strided(saved.size, saved.stride, saved.offset)
