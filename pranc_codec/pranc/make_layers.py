"""Make the layers of a module that is to be generated, with their bases and priors."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from torch import Tensor, nn

from pranc_codec.basis import make_basis
from pranc_codec.basis.allocation import ALLOCATION_RULES
from pranc_codec.pranc.layers import Layer, slices_of
from pranc_codec.pranc.module_tensors import owners_of


class PlacedLayer(NamedTuple):
    """A layer and where it belongs."""

    prefix: str
    """Prefix of its parameters' names in the network, such as "features.0."."""
    owner: nn.Module
    """The module whose parameters the layer generates."""
    layer: Layer


def make_layers(
    module: nn.Module, excluded: Collection[str], *, coefficients: int, seed: int, basis: str,
    shares: str, prior: Mapping[str, Tensor] | None, scales: Mapping[str, float], cache: bool,
) -> Iterator[PlacedLayer]:  # fmt: skip
    """Yield the layers of a module in the order of `named_modules`.

    This does not change the module. A layer that was yielded no longer needs its owner's
    parameters, so the caller can free them before the next layer is made.

    The arguments are those of `Pranc`, except that `excluded` holds only names of parameters.
    Owners whose parameters are all excluded have no layer. Raises InvalidArgument if there are
    fewer coefficients than layers, or more coefficients than generated weights.
    """
    found = []
    for prefix, owner in owners_of(module, excluded):
        own = [name for name, _ in owner.named_parameters(recurse=False)]
        slices = slices_of(
            owner,
            {name for name in own if prefix + name in excluded},
            {name: scales[prefix + name] for name in own if prefix + name in scales},
        )
        if slices:
            found.append((prefix, owner, slices))
    sizes = [sum(s.shape.numel() for s in slices) for _, _, slices in found]
    counts = ALLOCATION_RULES[shares](coefficients, sizes)
    for number, (prefix, owner, slices) in enumerate(found):
        made = make_basis(
            basis, sizes[number], counts[number], seed=seed, layer=number, cache=cache,
            first_shape=slices[0].shape,
        )  # fmt: skip
        given = None if prior is None else {s.name: prior[prefix + s.name] for s in slices}
        layer = Layer(slices, made, seed=seed, number=number, prior=given, cache=cache)
        yield PlacedLayer(prefix, owner, layer)
