"""PRANC: any `torch.nn.Module` as prior + scale * basis(seed) @ coefficients.

After "Pseudo RAndom Networks for Compacting deep models" (arXiv 2206.08464, section 3): the
parameters of a network are replaced by far fewer coefficients in a pseudo-random basis, so a file
needs only the seed and the coefficients. Four things differ from the paper's code. There is an
additive prior, and coefficients start at zero (the paper's start one-hot). Every tensor has a
scale. Each coefficient belongs to one layer (in the paper to the whole network, or to a layer in
the on-the-fly variant). The random numbers are integers, so they are the same on every machine.

A layer is a module that owns parameters. Its weights are generated when they are read and dropped
after use, in the forward and in the backward pass, so that memory holds the weights of one layer
at a time and not those of the network.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pranc_codec.basis.allocation import ALLOCATION_RULES
from pranc_codec.errors import InvalidArgument
from pranc_codec.files import write_atomically
from pranc_codec.limits import DEFAULT_LIMITS, Limits
from pranc_codec.pranc.file import FileContext, Model, read_model, write_model
from pranc_codec.pranc.layers import Layer
from pranc_codec.pranc.lazy_weights import generate_on_access, recipes_instead_of_weights
from pranc_codec.pranc.make_layers import make_layers
from pranc_codec.pranc.module_tensors import (
    Counts,
    Exclude,
    check_generated,
    count_numbers,
    excluded_names,
    loading_device,
    tensors_of,
)
from pranc_codec.pranc.renamed_arguments import accept_old_name

__all__ = ["Counts", "Pranc"]


class Pranc(nn.Module):
    """A module whose parameters are generated from coefficients.

    Only the coefficients and the excluded parameters have gradients. Store the model with `save`
    and restore it with `load`; it cannot be pickled. `counts` says how many numbers a file holds.

    module: any module. It is changed in place: its parameters are removed. A module with one
        parameter in two places (tied weights) is refused. Parameters of modules that copy them
        into one flat buffer (`torch.nn.RNNBase`) have to be excluded.
    coefficients: number of coefficients of all layers together, from the number of layers to the
        number of generated weights.
    seed: 0 .. 2**64 - 1; it decides the basis and, if no prior is given, the prior.
    basis: "hash", "dense" or "dct". "dct" is the best one for convolutional networks.
    shares: how the coefficients are shared out among the layers: in proportion to their numbers of
        weights ("weights") or to the square roots of these ("roots"). Classifiers reach a higher
        accuracy with "roots".
    exclude: parameters that are not generated but kept, and trained directly. Give names of
        parameters or of modules, shell patterns of such names, or a predicate of name and
        parameter.
    prior: a state dict. Coefficients of zero give its weights; excluded parameters and buffers
        start at its values if it has them. Without it the prior comes from the seed, by the rule
        of `layers.slices_of`.
    scales: scales by parameter name, which replace those of the same rule.
    cache: keep bases and priors in memory. This is faster for small networks that are trained for
        many iterations, and takes 12 bytes per weight for the bases "hash" and "dct".
    device: device of the network; by default that of the module.

    Raises InvalidArgument if an argument is not as described.
    """

    @accept_old_name("hold", "cache")
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
        cache: bool = False,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= seed < 2**64:
            raise InvalidArgument(f"seed {seed} is not 0 .. 2**64 - 1")
        if shares not in ALLOCATION_RULES:
            raise InvalidArgument(f"unknown shares {shares!r}: use {' or '.join(ALLOCATION_RULES)}")
        self.module, self.seed, self._cache = module, seed, cache
        self.basis, self.shares = basis, shares
        self._infos, self._scales = tensors_of(module), dict(scales or {})
        excluded = excluded_names(module, exclude)
        generated = {i.name for i in self._infos if i.parameter} - excluded
        check_generated(self._infos, generated, prior)
        if unknown := set(self._scales) - generated:
            raise InvalidArgument(
                f"scales: {', '.join(sorted(unknown))} is no generated parameter of the module"
            )
        device = device or next((p.device for p in module.parameters()), None)
        self.layers = nn.ModuleList()
        self._prefixes: list[str] = []
        for prefix, owner, layer in make_layers(
            module, excluded, coefficients=coefficients, seed=seed, basis=basis, shares=shares,
            prior=prior, scales=self._scales, cache=cache,
        ):  # fmt: skip
            self.layers.append(layer)
            self._prefixes.append(prefix)
            generate_on_access(owner, layer)
        self._has_prior = prior is not None
        stored = {i.name for i in self._infos} - generated
        self._stored_prior = {
            n: t.detach().clone() for n, t in (prior or {}).items() if n in stored
        }
        self._set_stored_tensors(self._stored_prior)
        self._move_to(device)

    def _move_to(self, device: torch.device | str | None) -> None:
        """Move everything, except for a module on the meta device, which has no values yet."""
        self.layers.to(device)
        if not any(t.is_meta for t in (*self.module.parameters(), *self.module.buffers())):
            self.module.to(device)

    def _set_stored_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Set excluded parameters and buffers, even if the module is on the meta device."""
        if tensors:
            copies = {name: tensor.detach().clone() for name, tensor in tensors.items()}
            self.module.load_state_dict(copies, strict=False, assign=True)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the module. Without `cache`, no weight is kept for the backward pass."""
        if self._cache:
            return self.module(*args, **kwargs)
        with recipes_instead_of_weights():
            return self.module(*args, **kwargs)

    @contextmanager
    def using(self, coefficients: Sequence[Tensor]) -> Iterator[None]:
        """Run the network on other coefficients, one tensor for each layer, within this block.

        Gradients flow into these tensors. Raises InvalidArgument if their sizes are not the layers'
        numbers of coefficients.
        """
        wanted = [layer.basis.coefficients for layer in self._layers()]
        if [c.numel() for c in coefficients] != wanted:
            raise InvalidArgument(
                f"coefficients of sizes {[c.numel() for c in coefficients]}, expected {wanted}"
            )
        for layer, temporary in zip(self._layers(), coefficients, strict=True):
            layer.temporary_coefficients.append(temporary)
        try:
            yield
        finally:
            for layer in self._layers():
                layer.temporary_coefficients.pop()

    @property
    def counts(self) -> Counts:
        """How many numbers the model consists of: coefficients, excluded parameters, buffers."""
        k = sum(layer.basis.coefficients for layer in self._layers())
        return count_numbers(self._infos, self.module.state_dict(), k)

    def coefficients(self) -> Float[Tensor, " k"]:
        """Return the coefficients of all layers as one new vector."""
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
        """Return the state dict of the plain module, without gradients.

        Generated parameters are new tensors; the others are those of the module.
        """
        made = {
            prefix + name: layer.generate(name, layer.current().detach())
            for prefix, layer in zip(self._prefixes, self._layers(), strict=True)
            for name in layer.slices
        }
        return made | self.module.state_dict()

    @accept_old_name("step", "q_step")
    def to_bytes(
        self, *, quantize: bool = True, q_step: float | None = None, half: bool = True
    ) -> bytes:
        """Return the model as the bytes of a .prw file (`file_format`).

        The file contains neither the architecture nor the prior. quantize: store the coefficients
        as range-coded multiples of `q_step`; otherwise store them as float32. q_step: quantization
        step of all coefficients; by default a sixteenth of their root mean square. half: store
        excluded parameters and buffers as float16 where that keeps 11 bits of their largest
        magnitude; integers keep their type.
        """
        if q_step is not None and not quantize:
            raise InvalidArgument("q_step needs quantize=True: leave it out, or quantize")
        model = Model(
            basis=self.basis, shares=self.shares, seed=self.seed, tensors=self.module.state_dict(),
            coefficients=[layer.coefficients for layer in self._layers()],
        )  # fmt: skip
        context = FileContext(infos=self._infos, scales=self._scales, prior=self._prior())
        return write_model(model, context, quantize=quantize, q_step=q_step, half=half)

    @accept_old_name("step", "q_step")
    def save(
        self,
        path: str | os.PathLike[str],
        *,
        quantize: bool = True,
        q_step: float | None = None,
        half: bool = True,
    ) -> None:
        """Write the bytes of `to_bytes` to a file. On an error the file stays as it was."""
        data = self.to_bytes(quantize=quantize, q_step=q_step, half=half)
        with write_atomically(path) as file:
            file.write(data)

    @classmethod
    @accept_old_name("hold", "cache")
    def from_bytes(
        cls,
        data: bytes,
        module: nn.Module,
        *,
        prior: Mapping[str, Tensor] | None = None,
        scales: Mapping[str, float] | None = None,
        device: torch.device | str | None = None,
        cache: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> "Pranc":
        """Read a model from the bytes of a .prw file.

        module: a module of the architecture that the file was written for. It may be on the meta
        device; its weights are never in memory all at once. prior, scales: the same as the
        writer's. Raises ModelMismatch for another module, prior or scales, and BitstreamError for
        bytes that cannot be decoded; the module is then unchanged.
        """
        infos = tensors_of(module)
        device = loading_device(module, {info.name for info in infos}, device)
        context = FileContext(infos=infos, scales=scales or {}, prior=prior)
        model = read_model(data, context, limits)
        out = cls(
            module, coefficients=sum(c.numel() for c in model.coefficients), seed=model.seed,
            basis=model.basis, shares=model.shares, prior=prior,
            exclude=lambda name, _: name in model.tensors,
            scales=scales, cache=cache, device=device,
        )  # fmt: skip
        out.set_coefficients(torch.cat(list(model.coefficients)))
        out._set_stored_tensors(model.tensors)
        return out.to(device)

    @classmethod
    @accept_old_name("hold", "cache")
    def load(
        cls,
        path: str | os.PathLike[str],
        module: nn.Module,
        *,
        prior: Mapping[str, Tensor] | None = None,
        scales: Mapping[str, float] | None = None,
        device: torch.device | str | None = None,
        cache: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> "Pranc":
        """Read a file that `save` wrote; the arguments and errors are those of `from_bytes`."""
        return cls.from_bytes(
            Path(path).read_bytes(), module, prior=prior, scales=scales, device=device,
            cache=cache, limits=limits,
        )  # fmt: skip

    def _prior(self) -> dict[str, Tensor] | None:
        """The prior that was given, restricted to the tensors of the module."""
        if not self._has_prior:
            return None
        made = {
            prefix + name: layer.prior(name)
            for prefix, layer in zip(self._prefixes, self._layers(), strict=True)
            for name in layer.slices
        }
        return made | self._stored_prior

    def _layers(self) -> Iterator[Layer]:
        for layer in self.layers:
            assert isinstance(layer, Layer)
            yield layer
