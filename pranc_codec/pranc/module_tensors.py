"""Which tensors a module has, who owns them, which parameters stay as they are; what is refused."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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


def owners_of(module: nn.Module, excluded: Collection[str] = ()) -> Iterator[tuple[str, nn.Module]]:
    """Modules that own parameters, with the prefix of their parameters' names."""
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
                f"{path or 'module'}: parameters in two places of a module are not supported"
            )
        seen.update(own.values())
        if own:
            yield prefix, owner


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


def normalization(module: nn.Module) -> list[str]:
    """Names of the parameters of normalization layers, for `Pranc(exclude=...)`: they are few, and
    each of them scales a whole channel."""
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
    """Refuse weights that cannot be generated and a prior that is not the module's."""
    if not generated:
        raise InvalidArgument("no parameter is left to generate: exclude fewer")
    for info in infos:
        if info.name in generated and info.numbers == 0:
            raise InvalidArgument(f"{info.name} has no elements: exclude it")
        if info.name in generated and info.dtype != torch.float32:
            raise InvalidArgument(
                f"{info.name} is {info.dtype}, generated weights are float32: "
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
                f"the module's is {info.dtype} {tuple(info.shape)}"
            )


def device_for(
    module: nn.Module, persistent: set[str], device: torch.device | str | None
) -> torch.device:
    """Where a file is loaded to; refuses a buffer whose values neither module nor file has."""
    for name, buffer in module.named_buffers():
        if buffer.is_meta and name not in persistent:
            raise InvalidArgument(
                f"buffer {name} is on the meta device and not persistent, so no file has it: "
                "build the module elsewhere"
            )
    own = next((p.device for p in module.parameters()), torch.device("cpu"))
    return torch.device(device or ("cpu" if own.type == "meta" else own))


def _means(pattern: str, name: str) -> bool:
    """Whether a pattern matches a parameter's name or that of a module around it."""
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:n]), pattern) for n in range(1, len(parts) + 1))
