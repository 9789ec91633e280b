"""PRANC: any `torch.nn.Module` as prior + scale * basis(seed) @ coefficients.

Pseudo RAndom Networks for Compacting deep models (arXiv 2206.08464). A network's parameters are
replaced by far fewer coefficients in a pseudo-random basis; the file needs only the seed and the
coefficients. Where we differ from the paper's code: an additive prior with coefficients that
start at zero (there: one-hot), a scale per tensor, coefficients that belong to one layer each
(there: to the whole network, or per layer in its on-the-fly variant), an integer generator.

A layer is a module that owns parameters. Its weights are made when they are read and dropped
after use, in forward and in backward: the peak is one layer's weights, not the network's.
"""

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from pranc_codec.basis import make_basis
from pranc_codec.errors import InvalidArgument
from pranc_codec.layers import Layer, Slice, slices_of


@dataclass(frozen=True, kw_only=True)
class Export:
    """All that is needed to rebuild a network's parameters, beside its architecture (and the prior
    and scales, if they were given). Buffers, such as running statistics, are not part of it."""

    seed: int
    basis: str
    coefficients: Float[Tensor, " k"]


def apportion(total: int, sizes: Sequence[int]) -> list[int]:
    """Share `total` coefficients among layers.

    Each layer gets one; the others are shared in proportion to the layers' weights beyond their
    first, by largest remainders (ties: the earlier layer). So no layer has more than its weights.
    """
    weights = sum(sizes)
    if not len(sizes) <= total <= weights:
        raise InvalidArgument(
            f"{total} coefficients for {len(sizes)} layers with {weights} weights: "
            f"use {len(sizes)} to {weights}"
        )
    spare = total - len(sizes)
    room = weights - len(sizes)
    shares = [1 + spare * (size - 1) // max(room, 1) for size in sizes]
    order = sorted(range(len(sizes)), key=lambda i: (-(spare * (sizes[i] - 1) % max(room, 1)), i))
    for i in order[: total - sum(shares)]:
        shares[i] += 1
    return shares


class Pranc(nn.Module):
    """A module whose parameters are generated from coefficients.

    module: any module; it is changed in place, its parameters are removed. Modules that copy
        their weights into one flat buffer (`torch.nn.RNNBase`) and tied parameters are refused.
    coefficients: k, for all layers together; `apportion` shares them out.
    basis: "hash" or "dense". prior: a state dict with the module's parameters; without it the
        prior comes from the seed as `slices_of` says. scales: per parameter, instead of that rule.
    hold: keep bases in memory, faster for small networks that are trained for many steps.

    Only `coefficients` have gradients. Buffers (running statistics) stay with the module.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        coefficients: int,
        seed: int = 0,
        basis: str = "hash",
        prior: Mapping[str, Tensor] | None = None,
        scales: Mapping[str, float] | None = None,
        hold: bool = False,
    ) -> None:
        super().__init__()
        self.module, self.seed, self.basis, self._hold = module, seed, basis, hold
        self.layers = nn.ModuleList()
        device = next((p.device for p in module.parameters()), torch.device("cpu"))
        owners = list(_owners(module))
        self._paths = [path for path, _ in owners]
        tables = [_with_scales(slices_of(owner), path, scales or {}) for path, owner in owners]
        shares = apportion(coefficients, [table[-1].stop for table in tables])
        for number, ((path, owner), table, share) in enumerate(
            zip(owners, tables, shares, strict=True)
        ):
            made = make_basis(basis, table[-1].stop, share, seed=seed, layer=number, hold=hold)
            given = None if prior is None else {s.name: prior[path + s.name] for s in table}
            layer = Layer(table, made, seed=seed, number=number, prior=given, hold=hold)
            self.layers.append(layer)
            _generate_on_access(owner, layer)
        self.layers.to(device)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's forward; unless `hold`, weights are not kept for the backward pass."""
        if self._hold:
            return self.module(*args, **kwargs)
        with saved_tensors_hooks(_pack, _unpack):
            return self.module(*args, **kwargs)

    @contextmanager
    def using(self, coefficients: Sequence[Tensor]) -> Iterator[None]:
        """Within this block the network runs on these coefficients, one tensor a layer."""
        for layer, substitute in zip(self._layers(), coefficients, strict=True):
            layer.substitutes.append(substitute)
        try:
            yield
        finally:
            for layer in self._layers():
                layer.substitutes.pop()

    def export(self) -> Export:
        """(seed, basis, coefficients): what `rebuild` needs."""
        flat = torch.cat([layer.coefficients.detach().cpu() for layer in self._layers()])
        return Export(seed=self.seed, basis=self.basis, coefficients=flat)

    def load(self, coefficients: Float[Tensor, " k"]) -> None:
        """Set the coefficients of all layers from one vector, in `export`'s order."""
        sizes = [layer.basis.coefficients for layer in self._layers()]
        if coefficients.numel() != sum(sizes):
            raise InvalidArgument(
                f"{coefficients.numel()} coefficients given, {sum(sizes)} expected"
            )
        for layer, part in zip(self._layers(), torch.split(coefficients, sizes), strict=True):
            layer.coefficients.data.copy_(part)

    def weights(self) -> dict[str, Tensor]:
        """All parameters of the module, made now, under their names."""
        return {
            path + name: layer.tensor(name, layer.current())
            for path, layer in zip(self._paths, self._layers(), strict=True)
            for name in layer.slices
        }

    def _layers(self) -> Iterator[Layer]:
        for layer in self.layers:
            assert isinstance(layer, Layer)
            yield layer


def rebuild(
    module: nn.Module,
    export: Export,
    *,
    prior: Mapping[str, Tensor] | None = None,
    scales: Mapping[str, float] | None = None,
) -> Pranc:
    """The network of an `Export` on a freshly built module of the same architecture.

    prior and scales: what the `Pranc` was given, if it was. Buffers are the module's own.
    """
    out = Pranc(
        module,
        coefficients=export.coefficients.numel(),
        seed=export.seed,
        basis=export.basis,
        prior=prior,
        scales=scales,
    )
    out.load(export.coefficients)
    return out


def _owners(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules that own parameters, with the prefix of their parameters' names."""
    seen: set[int] = set()
    for path, owner in module.named_modules():
        own = [id(p) for p in owner._parameters.values() if p is not None]
        if isinstance(owner, nn.RNNBase) and own:
            raise InvalidArgument(
                f"{path or 'module'}: recurrent modules of torch are not supported"
            )
        if seen.intersection(own):
            raise InvalidArgument(f"{path}: parameters that two modules share are not supported")
        seen.update(own)
        if own:
            yield (f"{path}." if path else ""), owner


def _with_scales(table: list[Slice], path: str, scales: Mapping[str, float]) -> list[Slice]:
    return [
        Slice(**{**vars(s), "scale": scales[path + s.name]}) if path + s.name in scales else s
        for s in table
    ]


# Weights that exist right now, by the address of their storage: what `_pack` recognizes.
_alive: dict[int, tuple[Layer, str, Tensor]] = {}


def _generate_on_access(owner: nn.Module, layer: Layer) -> None:
    """Replace an owner's parameters by properties that make them from `layer`."""
    made = {name: property(partial(_make, name=name)) for name in layer.slices}
    for name in layer.slices:
        del owner._parameters[name]
    object.__setattr__(owner, "_pranc", layer)
    owner.__class__ = type(type(owner).__name__, (type(owner),), made)


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
    if source is None:
        return tensor
    return _Recipe(*source, tensor.size(), tensor.stride(), tensor.storage_offset())


def _unpack(saved: Tensor | _Recipe) -> Tensor:
    if isinstance(saved, Tensor):
        return saved
    with torch.no_grad():
        made = saved.layer.tensor(saved.name, saved.coefficients)
    return made.as_strided(saved.size, saved.stride, saved.offset)
