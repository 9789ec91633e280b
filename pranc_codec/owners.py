"""Which tensors a module has, who owns them, and which of its parameters stay as they are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from pranc_codec.errors import InvalidArgument

Exclude = Sequence[str] | Callable[[str, Tensor], bool]


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """What is known of a tensor of a module's state without its values."""

    name: str
    shape: torch.Size
    dtype: torch.dtype
    parameter: bool
    """A parameter; else a persistent buffer."""

    @property
    def numbers(self) -> int:
        return self.shape.numel()


def tensors_of(module: nn.Module) -> list[TensorInfo]:
    """Parameters in `named_parameters`' order, then persistent buffers in the state dict's."""
    parameters = dict(module.named_parameters())
    buffers = {n: t for n, t in module.state_dict().items() if n not in parameters}
    for name, buffer in buffers.items():
        if not isinstance(buffer, Tensor):
            raise InvalidArgument(f"{name} of the module's state is no tensor: not supported")
    return [
        TensorInfo(name=name, shape=t.shape, dtype=t.dtype, parameter=name in parameters)
        for name, t in [*parameters.items(), *buffers.items()]
    ]


def owners_of(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
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


def excluded_names(module: nn.Module, exclude: Exclude) -> frozenset[str]:
    """Names of the parameters that `exclude` means.

    exclude: a predicate of name and parameter, or names: of parameters, of modules (all below
    them), or shell patterns of such ("layer?.*.bn1"). A name that means nothing is refused.
    """
    parameters = dict(module.named_parameters())
    if callable(exclude):
        return frozenset(name for name, p in parameters.items() if exclude(name, p))
    patterns = [exclude] if isinstance(exclude, str) else exclude
    found: set[str] = set()
    for pattern in patterns:
        matching = {name for name in parameters if _means(pattern, name)}
        if not matching:
            some = ", ".join(list(parameters)[:3])
            raise InvalidArgument(
                f"exclude: no parameter is called {pattern!r}; there are {some} ..."
            )
        found |= matching
    return frozenset(found)


def _means(pattern: str, name: str) -> bool:
    """Whether a pattern matches a parameter's name or that of a module around it."""
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:n]), pattern) for n in range(1, len(parts) + 1))
