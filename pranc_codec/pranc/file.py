"""Condensed models to bytes and back, as `model_format` specifies."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.basis.allocation import RULES
from pranc_codec.entropy import range_coder
from pranc_codec.errors import CorruptBitstream, InvalidArgument, ModelMismatch
from pranc_codec.format.parameters import LayerCode, q_step_of_code
from pranc_codec.format.sections import pack_sections
from pranc_codec.limits import Limits, refuse
from pranc_codec.pranc import file_format
from pranc_codec.pranc.file_format import COEFFICIENTS, TENSORS, ModelHeader
from pranc_codec.pranc.fingerprint import fingerprint_of_module, fingerprint_of_prior
from pranc_codec.pranc.module_tensors import TensorInfo
from pranc_codec.pranc.stored_tensors import from_bytes, pack_tensors, unpack_tensors

STEPS_PER_DEVIATION: Final = 16


@dataclass(frozen=True, kw_only=True)
class Model:
    """All that a file holds.

    coefficients: of each layer. tensors: by name, those that are not generated.
    """

    basis: str
    shares: str
    seed: int
    coefficients: Sequence[Tensor]
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What writer and reader must have alike: the module, its scales given by hand, the prior."""

    infos: Sequence[TensorInfo]
    scales: Mapping[str, float]
    prior: Mapping[str, Tensor] | None

    @property
    def module_fingerprint(self) -> bytes:
        return fingerprint_of_module(self.infos, self.scales)

    @property
    def prior_fingerprint(self) -> bytes | None:
        return None if self.prior is None else fingerprint_of_prior(self.infos, self.prior)


def write_model(
    model: Model, around: Surroundings, *, quantize: bool, step: float | None, half: bool
) -> bytes:
    """The file of a model. step: of all coefficients; None: `default_step`."""
    flat = torch.cat([c.detach().cpu().float() for c in model.coefficients])
    if not flat.isfinite().all():
        raise InvalidArgument("a coefficient is not finite: the training has diverged")
    codes: tuple[LayerCode, ...] = ()
    coded = flat.numpy().astype("<f4").tobytes()
    if quantize:
        code = code_of_step(default_step(flat) if step is None else step)
        codes, coded = _quantize(model.coefficients, code)
    sections = {COEFFICIENTS: coded}
    tensors = pack_tensors(around.infos, model.tensors, around.prior or {}, half=half)
    if tensors:
        sections[TENSORS] = tensors
    header = ModelHeader(
        basis=model.basis, shares=model.shares, seed=model.seed, tensors=len(around.infos),
        module=around.module_fingerprint, prior=around.prior_fingerprint, k=flat.numel(),
        layers=len(model.coefficients), codes=codes, sections=len(sections),
    )  # fmt: skip
    return file_format.pack_header(header) + pack_sections(sections)


def read_model(data: bytes, around: Surroundings, limits: Limits) -> Model:
    """Inverse of `write_model`. The module and the prior are compared before anything is made."""
    header = file_format.unpack_header(data)
    _check_surroundings(header, around)
    sections = file_format.unpack_sections(data, header)
    tensors = {}
    if TENSORS in sections:
        tensors = unpack_tensors(sections[TENSORS], around.infos, around.prior or {})
    elif any(not info.parameter for info in around.infos):
        raise CorruptBitstream("section 'tensors' is missing")
    if TENSORS in sections and not tensors:
        raise CorruptBitstream("section 'tensors' stands where every tensor is generated")
    sizes = layer_sizes(around.infos, tensors)
    counts = _checked_counts(header, sizes, limits)
    return Model(
        basis=header.basis, shares=header.shares, seed=header.seed, tensors=tensors,
        coefficients=_read_coefficients(sections[COEFFICIENTS], header, counts),
    )  # fmt: skip


def layer_sizes(infos: Sequence[TensorInfo], excluded: Mapping[str, Tensor]) -> list[int]:
    """Generated weights of each layer."""
    generated = [info for info in infos if info.parameter and info.name not in excluded]
    layers = groupby(generated, key=lambda info: info.name.rpartition(".")[0])
    return [sum(info.numbers for info in layer) for _, layer in layers]


def default_step(
    coefficients: Float[Tensor, " k"], steps_per_deviation: int = STEPS_PER_DEVIATION
) -> float:
    """That part of the root mean square, within the format; a sixteenth takes about six bits a
    coefficient."""
    rms = float(coefficients.double().square().mean().sqrt())
    return min(max(rms / steps_per_deviation, q_step_of_code(255)), q_step_of_code(0))


def code_of_step(step: float) -> int:
    """The format's step that is nearest in ratio."""
    smallest, largest = q_step_of_code(255), q_step_of_code(0)
    if not smallest <= step <= largest:
        raise InvalidArgument(f"step {step} is not in the format's {smallest:.2g} .. {largest:g}")
    return round(16 * (2 - math.log2(step)))


def _quantize(layers: Sequence[Tensor], code: int) -> tuple[tuple[LayerCode, ...], bytes]:
    """How each layer is coded, and the range-coded stream."""
    symbols = [symbols_of(c, q_step_of_code(code)) for c in layers]
    rows = [range_coder.cheapest_row(s) for s in symbols]
    codes = tuple(LayerCode(q_step_code=code, row=row) for row in rows)
    return codes, range_coder.encode_symbols(zip(symbols, rows, strict=True))


def symbols_of(coefficients: Tensor, step: float) -> range_coder.Integers:
    """Coefficients as multiples of a step."""
    symbols = np.rint(coefficients.detach().cpu().double().numpy() / step)
    if np.abs(symbols).max(initial=0) > range_coder.LARGEST_MAGNITUDE:
        raise InvalidArgument(f"a coefficient is too large for step {step}: use a larger step")
    return symbols.astype(np.int32)


def _check_surroundings(header: ModelHeader, around: Surroundings) -> None:
    if header.module != around.module_fingerprint:
        raise ModelMismatch(
            f"the file is of another module: it was written for {header.tensors} tensors, this "
            f"module has {len(around.infos)}; names, types, shapes and scales must be the same"
        )
    if header.prior == around.prior_fingerprint:
        return
    if header.prior is None:
        raise ModelMismatch("the file was written without a prior: do not give one")
    if around.prior is None:
        raise ModelMismatch("the file is a difference from a prior: give it as prior=")
    raise ModelMismatch("the file is a difference from another prior than the given one")


def _checked_counts(header: ModelHeader, sizes: Sequence[int], limits: Limits) -> list[int]:
    """Coefficients of each layer, once the header's numbers are found to fit the module."""
    if len(sizes) != header.layers or not len(sizes) <= header.k <= sum(sizes):
        raise CorruptBitstream(
            f"{header.k} coefficients of {header.layers} layers do not fit the module, "
            f"which has {len(sizes)} layers with {sum(sizes)} weights"
        )
    counts = RULES[header.shares](header.k, sizes)
    if header.basis == "dense":
        entries = sum(size * count for size, count in zip(sizes, counts, strict=True))
        refuse("multiplications", entries, limits.max_macs)
    return counts


def _read_coefficients(data: bytes, header: ModelHeader, counts: list[int]) -> list[Tensor]:
    if not header.codes:
        return _read_float32(data, counts)
    groups = [(count, code.row) for count, code in zip(counts, header.codes, strict=True)]
    symbols = range_coder.decode_canonical_symbols(data, groups)
    return [
        torch.from_numpy((s.astype(np.float64) * code.q_step).astype(np.float32))
        for s, code in zip(symbols, header.codes, strict=True)
    ]


def _read_float32(data: bytes, counts: list[int]) -> list[Tensor]:
    if len(data) != 4 * sum(counts):
        raise CorruptBitstream(f"{len(data)} bytes for {sum(counts)} coefficients in float32")
    flat = from_bytes(data, torch.float32, torch.Size([sum(counts)]))
    if not flat.isfinite().all():
        raise CorruptBitstream("a coefficient is not finite")
    return list(torch.split(flat, counts))
