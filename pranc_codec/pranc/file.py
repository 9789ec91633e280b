"""Convert condensed models to bytes and back, as `file_format` specifies."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.basis.allocation import ALLOCATION_RULES
from pranc_codec.entropy import range_coder
from pranc_codec.errors import CorruptBitstream, InvalidArgument, ModelMismatch
from pranc_codec.format.parameters import LayerCode, q_step_of_code
from pranc_codec.format.sections import pack_sections
from pranc_codec.limits import Limits, refuse
from pranc_codec.pranc import file_format
from pranc_codec.pranc.file_format import COEFFICIENTS, TENSORS, ModelHeader
from pranc_codec.pranc.fingerprint import fingerprint_of_module, fingerprint_of_prior
from pranc_codec.pranc.module_tensors import TensorInfo
from pranc_codec.pranc.stored_tensors import pack_tensors, tensor_from_bytes, unpack_tensors

STEPS_PER_DEVIATION: Final = 16


@dataclass(frozen=True, kw_only=True)
class Model:
    """The contents of a file.

    basis, shares, seed: see `Pranc`. coefficients: one vector for each layer. tensors: the tensors
    that are not generated, by name.
    """

    basis: str
    shares: str
    seed: int
    coefficients: Sequence[Tensor]
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class FileContext:
    """What writer and reader must share, because the file does not contain it.

    infos: the module's tensors. scales: the scales that replace the default ones. prior: the prior
    that was given, or None if it comes from the seed.
    """

    infos: Sequence[TensorInfo]
    scales: Mapping[str, float]
    prior: Mapping[str, Tensor] | None

    @property
    def module_fingerprint(self) -> bytes:
        """Fingerprint of the module and the scales."""
        return fingerprint_of_module(self.infos, self.scales)

    @property
    def prior_fingerprint(self) -> bytes | None:
        """Fingerprint of the prior; None if no prior was given."""
        return None if self.prior is None else fingerprint_of_prior(self.infos, self.prior)


def write_model(
    model: Model, context: FileContext, *, quantize: bool, q_step: float | None, half: bool
) -> bytes:
    """Return a model as the bytes of a file; `read_model` is the inverse, up to quantization.

    quantize: code the coefficients as multiples of `q_step`; otherwise store them as float32.
    q_step: the quantization step; None selects `default_q_step`.
    half: see `stored_tensors.pack_tensors`.

    Raises InvalidArgument for coefficients that are not finite or too large for the step.
    """
    flat = torch.cat([c.detach().cpu().float() for c in model.coefficients])
    if not flat.isfinite().all():
        raise InvalidArgument("a coefficient is not finite: the training has diverged")
    codes: tuple[LayerCode, ...] = ()
    coded = flat.numpy().astype("<f4").tobytes()
    if quantize:
        code = code_of_q_step(default_q_step(flat) if q_step is None else q_step)
        codes, coded = _quantize(model.coefficients, code)
    sections = {COEFFICIENTS: coded}
    tensors = pack_tensors(context.infos, model.tensors, context.prior or {}, half=half)
    if tensors:
        sections[TENSORS] = tensors
    header = ModelHeader(
        basis=model.basis, shares=model.shares, seed=model.seed, tensors=len(context.infos),
        module=context.module_fingerprint, prior=context.prior_fingerprint, k=flat.numel(),
        layers=len(model.coefficients), codes=codes, sections=len(sections),
    )  # fmt: skip
    return file_format.pack_header(header) + pack_sections(sections)


def read_model(data: bytes, context: FileContext, limits: Limits) -> Model:
    """Read the model of a file that `write_model` wrote.

    The fingerprints of module, scales and prior are compared before anything is allocated. Raises
    ModelMismatch if they differ, and BitstreamError for bytes that cannot be decoded.
    """
    header = file_format.unpack_header(data)
    _check_context(header, context)
    sections = file_format.unpack_sections(data, header)
    tensors = {}
    if TENSORS in sections:
        tensors = unpack_tensors(sections[TENSORS], context.infos, context.prior or {})
    elif any(not info.parameter for info in context.infos):
        raise CorruptBitstream("section 'tensors' is missing")
    if TENSORS in sections and not tensors:
        raise CorruptBitstream("section 'tensors' is present although every tensor is generated")
    sizes = layer_sizes(context.infos, tensors)
    counts = _checked_counts(header, sizes, limits)
    return Model(
        basis=header.basis, shares=header.shares, seed=header.seed, tensors=tensors,
        coefficients=_read_coefficients(sections[COEFFICIENTS], header, counts),
    )  # fmt: skip


def layer_sizes(infos: Sequence[TensorInfo], excluded: Mapping[str, Tensor]) -> list[int]:
    """Return the number of generated weights of each layer that has any."""
    generated = [info for info in infos if info.parameter and info.name not in excluded]
    layers = groupby(generated, key=lambda info: info.name.rpartition(".")[0])
    return [sum(info.numbers for info in layer) for _, layer in layers]


def default_q_step(
    coefficients: Float[Tensor, " k"], steps_per_deviation: int = STEPS_PER_DEVIATION
) -> float:
    """Return RMS / steps_per_deviation, clamped to the format's range of quantization steps.

    With the default of 16, normally distributed coefficients take about six bits each.
    """
    rms = float(coefficients.double().square().mean().sqrt())
    return min(max(rms / steps_per_deviation, q_step_of_code(255)), q_step_of_code(0))


def code_of_q_step(q_step: float) -> int:
    """Return the code of the format's quantization step whose ratio to `q_step` is nearest to 1.

    `format.parameters.q_step_of_code` is the inverse. Raises InvalidArgument for a step outside the
    format's range.
    """
    smallest, largest = q_step_of_code(255), q_step_of_code(0)
    if not smallest <= q_step <= largest:
        raise InvalidArgument(
            f"step {q_step} is outside the format's range {smallest:.2g} .. {largest:g}"
        )
    return round(16 * (2 - math.log2(q_step)))


def _quantize(layers: Sequence[Tensor], code: int) -> tuple[tuple[LayerCode, ...], bytes]:
    """Return step and table row of each layer, and the range-coded stream of all symbols."""
    symbols = [symbols_of(c, q_step_of_code(code)) for c in layers]
    rows = [range_coder.cheapest_row(s) for s in symbols]
    codes = tuple(LayerCode(q_step_code=code, row=row) for row in rows)
    return codes, range_coder.encode_symbols(zip(symbols, rows, strict=True))


def symbols_of(coefficients: Tensor, q_step: float) -> range_coder.Integers:
    """Return coefficients divided by the quantization step and rounded to integers.

    Raises InvalidArgument for integers beyond the range coder's largest magnitude.
    """
    symbols = np.rint(coefficients.detach().cpu().double().numpy() / q_step)
    if np.abs(symbols).max(initial=0) > range_coder.LARGEST_MAGNITUDE:
        raise InvalidArgument(f"a coefficient is too large for step {q_step}: use a larger step")
    return symbols.astype(np.int32)


def _check_context(header: ModelHeader, context: FileContext) -> None:
    if header.module != context.module_fingerprint:
        raise ModelMismatch(
            f"the file was written for another module, with {header.tensors} tensors; this module "
            f"has {len(context.infos)}; names, types, shapes and scales must be the same"
        )
    if header.prior == context.prior_fingerprint:
        return
    if header.prior is None:
        raise ModelMismatch("the file was written without a prior: leave out prior=")
    if context.prior is None:
        raise ModelMismatch("the file was written with a prior: give it as prior=")
    raise ModelMismatch("the file was written with another prior than the given one")


def _checked_counts(header: ModelHeader, sizes: Sequence[int], limits: Limits) -> list[int]:
    """Return each layer's number of coefficients, after checking that the header fits the module.

    Raises CorruptBitstream if it does not, and LimitExceeded for a dense basis with more entries
    than the limits allow multiplications.
    """
    if len(sizes) != header.layers or not len(sizes) <= header.k <= sum(sizes):
        raise CorruptBitstream(
            f"{header.k} coefficients of {header.layers} layers do not fit the module, "
            f"which has {len(sizes)} layers with {sum(sizes)} weights"
        )
    counts = ALLOCATION_RULES[header.shares](header.k, sizes)
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
        raise CorruptBitstream(
            f"section 'coefficients' has {len(data)} bytes, but {sum(counts)} float32 coefficients "
            f"need {4 * sum(counts)}"
        )
    flat = tensor_from_bytes(data, torch.float32, torch.Size([sum(counts)]))
    if not flat.isfinite().all():
        raise CorruptBitstream("a coefficient is not finite")
    return list(torch.split(flat, counts))
