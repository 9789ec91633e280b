"""Parameters that exist only while they are used.

A generated parameter becomes a property of its owner's class, which generates it whenever it is
read. Where autograd would save a generated weight for the backward pass, hooks save a recipe
instead, from which the backward pass generates the weight again.
"""

import weakref
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from pranc_codec.pranc.layers import Layer

# Generated weights that exist at the moment, by the address of their storage. `_pack` recognizes
# them by this address.
_alive: dict[int, tuple[Layer, str, Tensor]] = {}


def generate_on_access(owner: nn.Module, layer: Layer) -> None:
    """Replace an owner's parameters by properties that generate them from `layer`."""
    made = {name: property(partial(_make, name=name)) for name in layer.slices}
    for name in layer.slices:
        del owner._parameters[name]
    object.__setattr__(owner, "_pranc", layer)
    owner.__class__ = type(type(owner).__name__, (type(owner),), made)


def recipes_instead_of_weights() -> saved_tensors_hooks:
    """Return a context in which autograd saves recipes instead of generated weights."""
    return saved_tensors_hooks(_pack, _unpack)


def _make(owner: nn.Module, name: str) -> Tensor:
    """Generate the parameter `name` of an owner; `_pack` recognizes it as long as it exists."""
    layer = owner._pranc
    assert isinstance(layer, Layer)
    coefficients = layer.current()
    tensor = layer.tensor(name, coefficients)
    if layer.cache:
        return tensor
    address = tensor.untyped_storage().data_ptr()
    _alive[address] = (layer, name, coefficients.detach())
    weakref.finalize(tensor, _alive.pop, address, None)
    return tensor


@dataclass(frozen=True)
class _Recipe:
    """How to generate again a saved tensor that is a view of one of a layer's parameters."""

    layer: Layer
    name: str
    coefficients: Tensor
    size: torch.Size
    stride: tuple[int, ...]
    offset: Any


def _pack(tensor: Tensor) -> Tensor | _Recipe:
    source = _alive.get(tensor.untyped_storage().data_ptr())
    # Complex views, and views of these, do not hold the weight's own numbers.
    other_numbers = tensor.dtype != torch.float32 or tensor.is_conj() or tensor.is_neg()
    if source is None or other_numbers:
        return tensor
    return _Recipe(*source, tensor.size(), tensor.stride(), tensor.storage_offset())


def _unpack(saved: Tensor | _Recipe) -> Tensor:
    if isinstance(saved, Tensor):
        return saved
    with torch.no_grad():
        made = saved.layer.tensor(saved.name, saved.coefficients)
    return made.as_strided(saved.size, saved.stride, saved.offset)
