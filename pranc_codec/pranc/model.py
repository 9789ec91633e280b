"""PRANC: any `torch.nn.Module` as prior + scale * basis(seed) @ coefficients.

Pseudo RAndom Networks for Compacting deep models (arXiv 2206.08464). A network's parameters are
replaced by far fewer coefficients in a pseudo-random basis; the file needs only the seed and the
coefficients. Where we differ from the paper's code: an additive prior with coefficients that
start at zero (there: one-hot), a scale per tensor, coefficients that belong to one layer each
(there: to the whole network, or per layer in its on-the-fly variant), an integer generator.

A layer is a module that owns parameters. Its weights are made when they are read and dropped
after use, in forward and in backward: the peak is one layer's weights, not the network's.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pranc_codec.basis import make_basis
from pranc_codec.basis.allocation import RULES
from pranc_codec.errors import InvalidArgument
from pranc_codec.files import write_atomically
from pranc_codec.limits import DEFAULT_LIMITS, Limits
from pranc_codec.pranc.file import Model, Surroundings, read_model, write_model
from pranc_codec.pranc.layers import Layer, Slice, slices_of
from pranc_codec.pranc.lazy_weights import generate_on_access, recipes_instead_of_weights
from pranc_codec.pranc.module_tensors import (
    Exclude,
    check_generated,
    device_for,
    excluded_names,
    owners_of,
    tensors_of,
)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many numbers a condensed model consists of."""

    coefficients: int
    excluded: int
    """Of parameters that are not generated."""
    buffers: int
    """Of persistent buffers, such as running statistics."""

    @property
    def total(self) -> int:
        return self.coefficients + self.excluded + self.buffers


class Pranc(nn.Module):
    """A module whose parameters are generated from coefficients.

    module: any module; it is changed in place, its parameters are removed. Parameters in two
        places of it (tied weights) are refused, and those of modules that copy them into one flat
        buffer (`torch.nn.RNNBase`) have to be excluded.
    coefficients: k, for all layers together.
    basis: "hash", "dense" or, best for networks of convolutions, "dct".
    shares: how layers share the coefficients, in proportion to their weights ("weights") or to the
        roots of these ("roots"), which trains classifiers to a higher accuracy.
    exclude: parameters that stay as they are and are trained as such: names of parameters or
        modules, shell patterns of them, or a predicate of name and parameter.
    prior: a state dict; coefficients of zero give its weights, and excluded parameters and
        buffers start at its values where it has them. Without it the prior comes from the seed
        as `slices_of` says.
    scales: per parameter, instead of that rule.
    hold: keep bases and priors in memory, faster for small networks that are trained for many
        steps.
    device: of the network; default: the module's.

    It is stored by `save` and `load`, not by pickle. Only coefficients and what is excluded have
    gradients. What a file holds beside the coefficients (excluded parameters and buffers) is
    counted by `counts`.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        coefficients: int,
        seed: int = 0,
        basis: str = "hash",
        shares: str = "roots",
        exclude: Exclude = (),
        prior: Mapping[str, Tensor] | None = None,
        scales: Mapping[str, float] | None = None,
        hold: bool = False,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= seed < 2**64:
            raise InvalidArgument(f"seed {seed} is not 0 .. 2**64 - 1")
        if shares not in RULES:
            raise InvalidArgument(f"unknown shares {shares!r}: use {' or '.join(RULES)}")
        self.module, self.seed, self._hold = module, seed, hold
        self.basis, self.shares = basis, shares
        self._infos, self._scales = tensors_of(module), dict(scales or {})
        excluded = excluded_names(module, exclude)
        generated = {i.name for i in self._infos if i.parameter} - excluded
        check_generated(self._infos, generated, prior)
        if unknown := set(self._scales) - generated:
            raise InvalidArgument(f"scales: {', '.join(sorted(unknown))} is not generated")
        device = device or next((p.device for p in module.parameters()), None)
        self._has_prior = prior is not None
        self.layers = nn.ModuleList()
        self._paths: list[str] = []
        self._make_layers(coefficients, excluded, prior)
        side = {i.name for i in self._infos} - generated
        self._side_prior = {n: t.detach().clone() for n, t in (prior or {}).items() if n in side}
        self._load_side_tensors(self._side_prior)
        self._move_to(device)

    def _move_to(self, device: torch.device | str | None) -> None:
        """Move all but what is on the meta device: that waits for its values."""
        self.layers.to(device)
        if not any(t.is_meta for t in (*self.module.parameters(), *self.module.buffers())):
            self.module.to(device)

    def _make_layers(
        self, coefficients: int, excluded: frozenset[str], prior: Mapping[str, Tensor] | None
    ) -> None:
        found = [
            (path, owner, self._slices(path, owner, excluded))
            for path, owner in owners_of(self.module, excluded)
        ]
        found = [(path, owner, table) for path, owner, table in found if table]
        sizes = [sum(s.shape.numel() for s in table) for _, _, table in found]
        shares = RULES[self.shares](coefficients, sizes)
        for number, (path, owner, table) in enumerate(found):
            basis = make_basis(
                self.basis, sizes[number], shares[number], seed=self.seed, layer=number,
                hold=self._hold, first=table[0].shape,
            )  # fmt: skip
            given = None if prior is None else {s.name: prior[path + s.name] for s in table}
            layer = Layer(table, basis, seed=self.seed, number=number, prior=given, hold=self._hold)
            self.layers.append(layer)
            self._paths.append(path)
            generate_on_access(owner, layer)

    def _slices(self, path: str, owner: nn.Module, excluded: frozenset[str]) -> list[Slice]:
        own = [name for name, _ in owner.named_parameters(recurse=False)]
        table = slices_of(owner, {name for name in own if path + name in excluded})
        return [
            replace(s, scale=self._scales[path + s.name]) if path + s.name in self._scales else s
            for s in table
        ]

    def _load_side_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Set excluded parameters and buffers, also of a module on the meta device."""
        if tensors:
            copies = {name: tensor.detach().clone() for name, tensor in tensors.items()}
            self.module.load_state_dict(copies, strict=False, assign=True)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's forward; unless `hold`, weights are not kept for the backward pass."""
        if self._hold:
            return self.module(*args, **kwargs)
        with recipes_instead_of_weights():
            return self.module(*args, **kwargs)

    @contextmanager
    def using(self, coefficients: Sequence[Tensor]) -> Iterator[None]:
        """Within this block the network runs on these coefficients, one tensor a layer."""
        wanted = [layer.basis.coefficients for layer in self._layers()]
        if [c.numel() for c in coefficients] != wanted:
            raise InvalidArgument(
                f"coefficients of {[c.numel() for c in coefficients]}, expected: {wanted}"
            )
        for layer, substitute in zip(self._layers(), coefficients, strict=True):
            layer.substitutes.append(substitute)
        try:
            yield
        finally:
            for layer in self._layers():
                layer.substitutes.pop()

    @property
    def counts(self) -> Counts:
        """Numbers that make up the model: coefficients, excluded parameters, buffers."""
        side = self.module.state_dict()
        kinds = {True: 0, False: 0}
        for info in self._infos:
            kinds[info.parameter] += info.numbers if info.name in side else 0
        k = sum(layer.basis.coefficients for layer in self._layers())
        return Counts(coefficients=k, excluded=kinds[True], buffers=kinds[False])

    def coefficients(self) -> Float[Tensor, " k"]:
        """The coefficients of all layers as one new vector."""
        return torch.cat([layer.coefficients.detach() for layer in self._layers()])

    def set_coefficients(self, coefficients: Float[Tensor, " k"]) -> None:
        """Set the coefficients of all layers from one vector, in the order of `coefficients`."""
        sizes = [layer.basis.coefficients for layer in self._layers()]
        if coefficients.numel() != sum(sizes):
            raise InvalidArgument(
                f"{coefficients.numel()} coefficients given, {sum(sizes)} expected"
            )
        for layer, part in zip(self._layers(), torch.split(coefficients, sizes), strict=True):
            layer.coefficients.data.copy_(part)

    def weights(self) -> dict[str, Tensor]:
        """The plain module's state dict: generated parameters made now, others as they are;
        without gradients."""
        made = {
            path + name: layer.generate(name, layer.current().detach())
            for path, layer in zip(self._paths, self._layers(), strict=True)
            for name in layer.slices
        }
        return made | self.module.state_dict()

    def to_bytes(
        self, *, quantize: bool = True, step: float | None = None, half: bool = True
    ) -> bytes:
        """The model as a file (`model_format`), without its architecture and its prior.

        quantize: coefficients as range-coded multiples of `step`, else float32. step: of all
        coefficients; default: a sixteenth of their root mean square. half: excluded parameters
        and buffers in float16 (integers as they are).
        """
        if step is not None and not quantize:
            raise InvalidArgument("step is of quantized coefficients: leave it out, or quantize")
        model = Model(
            basis=self.basis, shares=self.shares, seed=self.seed, tensors=self.module.state_dict(),
            coefficients=[layer.coefficients for layer in self._layers()],
        )  # fmt: skip
        around = Surroundings(infos=self._infos, scales=self._scales, prior=self._prior())
        return write_model(model, around, quantize=quantize, step=step, half=half)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        quantize: bool = True,
        step: float | None = None,
        half: bool = True,
    ) -> None:
        """Write `to_bytes` to a file, whole or not at all."""
        data = self.to_bytes(quantize=quantize, step=step, half=half)
        with write_atomically(path) as file:
            file.write(data)

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        module: nn.Module,
        *,
        prior: Mapping[str, Tensor] | None = None,
        scales: Mapping[str, float] | None = None,
        device: torch.device | str | None = None,
        hold: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> "Pranc":
        """The model of a file on a module of the same architecture, which may be on the meta
        device: its weights are never made all at once. prior, scales: as the writer's.

        Raises ModelMismatch for another module or prior, BitstreamError for wrong bytes; the
        module is as it was then.
        """
        infos = tensors_of(module)
        device = device_for(module, {info.name for info in infos}, device)
        around = Surroundings(infos=infos, scales=scales or {}, prior=prior)
        model = read_model(data, around, limits)
        out = cls(
            module, coefficients=sum(c.numel() for c in model.coefficients), seed=model.seed,
            basis=model.basis, shares=model.shares, prior=prior,
            exclude=lambda name, _: name in model.tensors,
            scales=scales, hold=hold, device=device,
        )  # fmt: skip
        out.set_coefficients(torch.cat(list(model.coefficients)))
        out._load_side_tensors(model.tensors)
        return out.to(device)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        module: nn.Module,
        *,
        prior: Mapping[str, Tensor] | None = None,
        scales: Mapping[str, float] | None = None,
        device: torch.device | str | None = None,
        hold: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> "Pranc":
        """`from_bytes` of a file."""
        return cls.from_bytes(
            Path(path).read_bytes(), module, prior=prior, scales=scales, device=device,
            hold=hold, limits=limits,
        )  # fmt: skip

    def _prior(self) -> dict[str, Tensor] | None:
        """The prior that was given, as far as the module has its tensors."""
        if not self._has_prior:
            return None
        made = {
            path + name: layer.prior(name)
            for path, layer in zip(self._paths, self._layers(), strict=True)
            for name in layer.slices
        }
        return made | self._side_prior

    def _layers(self) -> Iterator[Layer]:
        for layer in self.layers:
            assert isinstance(layer, Layer)
            yield layer
