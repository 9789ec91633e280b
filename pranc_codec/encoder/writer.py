"""From fitted coefficients to a file."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from pranc_codec.encoder.mlp.plan import Plan
from pranc_codec.entropy import range_coder
from pranc_codec.errors import PrancError
from pranc_codec.format import bitstream, metadata
from pranc_codec.format.bitstream import Header
from pranc_codec.format.parameters import LayerCode, MlpParameters, Parameters, q_step_of_code
from pranc_codec.format.sections import pack_sections
from pranc_codec.image import Picture


def parameters_of(plan: Plan, layers: Sequence[LayerCode]) -> MlpParameters:
    """The plan as the header says it."""
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
) -> list[range_coder.Integers]:
    """Symbols of each layer: coefficients over their step, rounded."""
    symbols = []
    for layer, code in zip(coefficients, q_step_codes, strict=True):
        exact = np.rint(layer.numpy().astype(np.float64) / q_step_of_code(code))
        if not np.all(np.abs(exact) <= range_coder.LARGEST_MAGNITUDE):  # or not finite
            raise PrancError("the fit diverged: try another seed, effort or rate")
        symbols.append(exact.astype(np.int32))
    return symbols


def write_file(
    picture: Picture,
    plan: Plan,
    seed: int,
    symbols: Sequence[range_coder.Integers],
    q_step_codes: Sequence[int],
) -> bytes:
    """The whole file. Each layer's symbols are coded under the row that is cheapest for them."""
    layers = [
        LayerCode(q_step_code=code, row=range_coder.cheapest_row(s))
        for s, code in zip(symbols, q_step_codes, strict=True)
    ]
    groups = [(s, layer.row) for s, layer in zip(symbols, layers, strict=True)]
    sections = {bitstream.SYMBOLS: range_coder.encode_symbols(groups)}
    return assemble(picture, "mlp", seed, parameters_of(plan, layers), sections)


def assemble(
    picture: Picture, profile: str, seed: int, parameters: Parameters, sections: dict[int, bytes]
) -> bytes:
    """Header and sections, with the picture's alpha and metadata."""
    height, width, _ = picture.colours.shape
    sections = sections | extra_sections(picture)
    header = Header(
        profile=profile,
        mode=picture.mode,
        samples=picture.samples,
        width=width,
        height=height,
        seed=seed,
        sections=len(sections),
        parameters=parameters,
    )
    return bitstream.pack_header(header) + pack_sections(sections)


def extra_sections(picture: Picture) -> dict[int, bytes]:
    """Alpha and metadata."""
    alpha = {} if picture.alpha is None else {bitstream.ALPHA: metadata.pack_alpha(picture.alpha)}
    return alpha | metadata.pack_metadata(picture.metadata)


def fixed_bytes(picture: Picture, plan: Plan, seed: int) -> int:
    """Bytes of a file of this plan that are not range-coded symbols."""
    empty = [np.zeros(0, dtype=np.int32) for _ in range(plan.rule.depth + 1)]
    return len(write_file(picture, plan, seed, empty, [0] * len(empty))) + 1
