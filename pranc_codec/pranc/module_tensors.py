"""The tensors of a module: who owns them, which are excluded, and which cannot be generated."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from pranc_codec.errors import InvalidArgument

Exclude = Sequence[str] | Callable[[str, Tensor], bool]


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """Name, shape and type of a tensor in a module's state."""

    name: str
    shape: torch.Size
    dtype: torch.dtype
    parameter: bool
    """True for a parameter, False for a persistent buffer."""

    @property
    def numbers(self) -> int:
        """Number of elements."""
        return self.shape.numel()


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many numbers a condensed model consists of."""

    coefficients: int
    excluded: int
    """Elements of the parameters that are not generated."""
    buffers: int
    """Elements of the persistent buffers, such as running statistics."""

    @property
    def total(self) -> int:
        """Sum of the three counts."""
        return self.coefficients + self.excluded + self.buffers


def count_numbers(
    infos: Sequence[TensorInfo], stored: Collection[str], coefficients: int
) -> Counts:
    """Count the numbers of a model. stored: names of the tensors that are not generated."""
    elements = {True: 0, False: 0}
    for info in infos:
        elements[info.parameter] += info.numbers if info.name in stored else 0
    return Counts(coefficients=coefficients, excluded=elements[True], buffers=elements[False])


def tensors_of(module: nn.Module) -> list[TensorInfo]:
    """Return all tensors of a module's state, in the order of the file format.

    Parameters come first, in the order of `named_parameters`, then persistent buffers, in the
    order of `state_dict`.
    """
    parameters = dict(module.named_parameters())
    buffers = {n: t for n, t in module.state_dict().items() if n not in parameters}
    for name, buffer in buffers.items():
        if not isinstance(buffer, Tensor):
            raise InvalidArgument(
                f"{name} in the module's state is not a tensor: this is not supported"
            )
    return [
        TensorInfo(name=name, shape=t.shape, dtype=t.dtype, parameter=name in parameters)
        for name, t in [*parameters.items(), *buffers.items()]
    ]


def owners_of(module: nn.Module, excluded: Collection[str] = ()) -> Iterator[tuple[str, nn.Module]]:
    """Yield (prefix, module) for each module that owns parameters.

    The prefix is that of its parameters' names. Raises InvalidArgument for parameters that cannot
    be generated: one parameter in two places, and parameters of recurrent modules unless they are
    excluded.
    """
    seen: set[int] = set()
    for path, owner in module.named_modules(remove_duplicate=False):
        prefix = f"{path}." if path else ""
        own = {name: id(p) for name, p in owner._parameters.items() if p is not None}
        if isinstance(owner, nn.RNNBase) and any(prefix + name not in excluded for name in own):
            raise InvalidArgument(
                f"{path or 'module'}: weights of torch's recurrent modules cannot be generated: "
                "exclude them"
            )
        if seen.intersection(own.values()) or len(set(own.values())) < len(own):
            raise InvalidArgument(
                f"{path or 'module'}: one parameter in two places of a module is not supported"
            )
        seen.update(own.values())
        if own:
            yield prefix, owner


def excluded_names(module: nn.Module, exclude: Exclude) -> frozenset[str]:
    """Return the names of the parameters that `exclude` matches.

    exclude: a predicate of name and parameter, or a sequence of names. A name is the name of a
    parameter, the name of a module (which matches all parameters below it), or a shell pattern of
    such names, such as "layer?.*.bn1". Raises InvalidArgument for a name that matches nothing.
    """
    parameters = dict(module.named_parameters())
    if callable(exclude):
        return frozenset(name for name, p in parameters.items() if exclude(name, p))
    patterns = [exclude] if isinstance(exclude, str) else exclude
    found: set[str] = set()
    for pattern in patterns:
        matching = {name for name in parameters if _matches(pattern, name)}
        if not matching:
            some = ", ".join(list(parameters)[:3])
            raise InvalidArgument(
                f"exclude: {pattern!r} matches no parameter; there are {some} ..."
            )
        found |= matching
    return frozenset(found)


def normalization(module: nn.Module) -> list[str]:
    """Return the names of the parameters of normalization layers, for `Pranc(exclude=...)`.

    They are few, and each of them acts on a whole channel, so it pays not to generate them.
    """
    kinds = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
    return [
        f"{path}.{name}" if path else name
        for path, owner in module.named_modules()
        if isinstance(owner, kinds)
        for name, _ in owner.named_parameters(recurse=False)
    ]


def check_generated(
    infos: Sequence[TensorInfo], generated: set[str], prior: Mapping[str, Tensor] | None
) -> None:
    """Raise InvalidArgument for weights that cannot be generated or a prior that does not fit.

    infos: the module's tensors. generated: names of the parameters to generate. prior: must
    contain all of these; all its tensors must agree with the module's in shape and type.
    """
    if not generated:
        raise InvalidArgument("no parameter is left to generate: exclude fewer parameters")
    for info in infos:
        if info.name in generated and info.numbers == 0:
            raise InvalidArgument(f"{info.name} has no elements: exclude it")
        if info.name in generated and info.dtype != torch.float32:
            raise InvalidArgument(
                f"{info.name} is {info.dtype}, but generated weights are float32: "
                "use module.float(), or exclude it"
            )
        if prior is None:
            continue
        given = prior.get(info.name)
        if given is None and info.name in generated:
            raise InvalidArgument(f"prior: {info.name} is missing")
        if given is not None and (given.shape, given.dtype) != (info.shape, info.dtype):
            raise InvalidArgument(
                f"prior: {info.name} is {given.dtype} {tuple(given.shape)}, "
                f"but in the module it is {info.dtype} {tuple(info.shape)}"
            )


def loading_device(
    module: nn.Module, persistent: set[str], device: torch.device | str | None
) -> torch.device:
    """Return the device to load a file to: `device`, else the module's, else the CPU.

    The CPU is the default for modules on the meta device. persistent: names of the tensors that
    files contain. Raises InvalidArgument for a buffer on the meta device that no file contains,
    because nothing can give it values.
    """
    for name, buffer in module.named_buffers():
        if buffer.is_meta and name not in persistent:
            raise InvalidArgument(
                f"buffer {name} is on the meta device and not persistent, so no file has "
                "its values: build the module on another device"
            )
    own = next((p.device for p in module.parameters()), torch.device("cpu"))
    return torch.device(device or ("cpu" if own.type == "meta" else own))


def _matches(pattern: str, name: str) -> bool:
    """Whether a pattern matches the name of a parameter or of a module that contains it."""
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:n]), pattern) for n in range(1, len(parts) + 1))
