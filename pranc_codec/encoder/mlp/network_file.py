"""Write the file of a fitted coordinate network."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from pranc_codec.encoder.mlp.plan import Plan
from pranc_codec.encoder.writer import assemble
from pranc_codec.entropy import range_coder
from pranc_codec.entropy.range_coder import Integers
from pranc_codec.errors import PrancError
from pranc_codec.format import bitstream
from pranc_codec.format.parameters import LayerCode, MlpParameters, q_step_of_code
from pranc_codec.image import Picture


def parameters_of(plan: Plan, layers: Sequence[LayerCode]) -> MlpParameters:
    """Return the header parameters of a plan. layers: how each layer's symbols are coded."""
    return MlpParameters(
        prior=plan.rule.prior,
        basis=plan.rule.basis,
        features=plan.shape.features,
        bandwidth=plan.bandwidth_code,
        width=plan.shape.width,
        depth=plan.rule.depth,
        k=plan.k,
        layers=tuple(layers),
    )


def quantize_layers(
    coefficients: Sequence[Float[Tensor, " _"]], q_step_codes: Sequence[int]
) -> list[Integers]:
    """Return each layer's symbols: its coefficients over its quantization step, rounded.

    Raises PrancError if they are not finite or too large for the format.
    """
    symbols = []
    for layer, code in zip(coefficients, q_step_codes, strict=True):
        exact = np.rint(layer.numpy().astype(np.float64) / q_step_of_code(code))
        if not np.all(np.abs(exact) <= range_coder.LARGEST_MAGNITUDE):  # or not finite
            raise PrancError("the fit diverged: try another seed, effort or rate")
        symbols.append(exact.astype(np.int32))
    return symbols


def write_network(
    picture: Picture,
    plan: Plan,
    seed: int,
    symbols: Sequence[Integers],
    q_step_codes: Sequence[int],
) -> bytes:
    """Return the whole file. Each layer's symbols are coded under the row that is cheapest."""
    layers = [
        LayerCode(q_step_code=code, row=range_coder.cheapest_row(s))
        for s, code in zip(symbols, q_step_codes, strict=True)
    ]
    groups = [(s, layer.row) for s, layer in zip(symbols, layers, strict=True)]
    sections = {bitstream.SYMBOLS: range_coder.encode_symbols(groups)}
    return assemble(picture, "mlp", seed, parameters_of(plan, layers), sections)


def fixed_bytes(picture: Picture, plan: Plan, seed: int) -> int:
    """Return the number of bytes of a file of this plan that are not range-coded symbols."""
    empty = [np.zeros(0, dtype=np.int32) for _ in range(plan.rule.depth + 1)]
    return len(write_network(picture, plan, seed, empty, [0] * len(empty))) + 1
