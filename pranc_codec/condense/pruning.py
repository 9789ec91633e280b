"""Magnitude pruning, which PRANC is compared with: only a network's largest weights remain.

Its files are complete and coded in the same way as those of coefficients: the positions of the
remaining weights are coded under their exact frequency, weights are quantized and range-coded, and
buffers have the same section.

    file := for each parameter, in the order of `named_parameters`:
                remaining varint, step u8, row u8       as in `pranc.file_format`
            length varint, then a range-coded stream of that length; for each parameter
                its mask, a 0 or a 1 for each weight, if it has two or more dimensions
                the symbols of its remaining weights
            the buffers, as `pranc.stored_tensors` packs them

One-dimensional parameters are never pruned.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from pranc_codec.entropy import range_coder
from pranc_codec.entropy.tables import TOTAL, TableRow, rows
from pranc_codec.format.fields import Reader, pack_varint
from pranc_codec.format.parameters import q_step_of_code
from pranc_codec.pranc.file import code_of_q_step, default_q_step, symbols_of
from pranc_codec.pranc.module_tensors import TensorInfo, tensors_of
from pranc_codec.pranc.stored_tensors import pack_tensors, unpack_tensors

VECTOR_STEPS: Final = 16
"""Root mean square of a one-dimensional parameter divided by its quantization step."""


def prunable(module: nn.Module) -> Iterator[Tensor]:
    """Return the parameters that are pruned: those with two or more dimensions."""
    return (p for p in module.parameters() if p.dim() > 1)


@torch.no_grad()
def prune(module: nn.Module, density: float) -> None:
    """Zero all but the largest weights, in place.

    density: fraction of the weights that remains. At least one weight remains.
    """
    weights = list(prunable(module))
    magnitudes = torch.cat([w.abs().flatten() for w in weights])
    remaining = max(1, min(len(magnitudes), round(density * len(magnitudes))))
    threshold = magnitudes.kthvalue(len(magnitudes) - remaining + 1).values
    for weight in weights:
        weight.mul_(weight.abs() >= threshold)


def density_at(done: float, final: float) -> float:
    """Return the density when the fraction `done` of the training is over.

    It falls from 1 to `final` during the first half, as a cubic function, and stays there (Zhu &
    Gupta, "To prune, or not to prune", arXiv 1710.01878, section 3).
    """
    return final + (1 - final) * max(0.0, 1 - 2 * done) ** 3


@torch.no_grad()
def pack_pruned(module: nn.Module, steps_per_deviation: int) -> bytes:
    """Return a pruned module as bytes; `unpack_pruned` is the inverse, up to quantization.

    The arguments are those of `pack_weights`.
    """
    return pack_weights(module, steps_per_deviation) + pack_buffers(module)


@torch.no_grad()
def pack_weights(module: nn.Module, steps_per_deviation: int) -> bytes:
    """Return the bytes of a pruned module without its buffers.

    steps_per_deviation: root mean square of a parameter's remaining weights divided by its
    quantization step; one-dimensional parameters have `VECTOR_STEPS` instead.
    """
    header, encoder = b"", range_coder.Encoder()
    for parameter in module.parameters():
        flat, pruned = parameter.flatten().cpu(), parameter.dim() > 1
        remaining = flat[flat != 0] if pruned else flat
        steps = steps_per_deviation if pruned else VECTOR_STEPS
        code = code_of_q_step(default_q_step(remaining, steps) if len(remaining) else 1.0)
        symbols = symbols_of(remaining, q_step_of_code(code))
        row = range_coder.cheapest_row(symbols)
        header += pack_varint(len(remaining)) + bytes([code, row])
        if pruned:
            encoder.encode((flat != 0).int().numpy(), _mask_row(len(remaining), len(flat)))
        encoder.encode(symbols, rows()[row])
    stream = encoder.finish()
    return header + pack_varint(len(stream)) + stream


def pack_buffers(module: nn.Module) -> bytes:
    """Return a module's buffers as bytes, which are the end of its file."""
    infos = _buffers_of(module)
    return pack_tensors(infos, module.state_dict(), {}, half=True) if infos else b""


@torch.no_grad()
def unpack_pruned(data: bytes, module: nn.Module) -> None:
    """Set a module of the same architecture to the weights and buffers of a file."""
    reader, parameters = Reader(data), list(module.parameters())
    heads = [(reader.varint(), q_step_of_code(reader.u8()), reader.u8()) for _ in parameters]
    decoder = range_coder.Decoder(reader.take(reader.varint()))
    for parameter, (remaining, step, row) in zip(parameters, heads, strict=True):
        size = parameter.numel()
        mask = np.ones(size, dtype=bool)
        if parameter.dim() > 1:
            mask = decoder.decode(size, _mask_row(remaining, size)) == 1
        values = np.zeros(size)
        values[mask] = decoder.decode(remaining, rows()[row]) * step
        parameter.copy_(torch.from_numpy(values).view(parameter.shape))
    decoder.finish()
    if infos := _buffers_of(module):
        buffers = unpack_tensors(data[reader.position :], infos, {})
        module.load_state_dict(buffers, strict=False)


def largest_density(module: nn.Module, steps_per_deviation: int, target_bytes: int) -> float:
    """Find the largest density whose file fits in `target_bytes` by bisection; 0 if none does."""
    saved = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    low, high = 0.0, 1.0
    for _ in range(12):
        density = (low + high) / 2
        prune(module, density)
        fits = len(pack_pruned(module, steps_per_deviation)) <= target_bytes
        low, high = (density, high) if fits else (low, density)
        module.load_state_dict(saved)
    return low


def _buffers_of(module: nn.Module) -> list[TensorInfo]:
    return [info for info in tensors_of(module) if not info.parameter]


def _mask_row(remaining: int, size: int) -> TableRow:
    """Return a row for the zeros and ones of a mask, with nearly their frequencies."""
    ones = min(max(remaining * TOTAL // max(size, 1), 1), TOTAL - 2)
    frequencies = np.array([TOTAL - 1 - ones, ones, 1], dtype=np.uint32)
    return TableRow(smallest=0, largest=1, frequencies=frequencies)
