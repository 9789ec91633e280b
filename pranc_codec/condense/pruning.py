"""Magnitude pruning, the rival: the largest weights of the whole network stay, the rest is zero.

Its files are real too, and coded as ours are: which weights remain under their exact frequency,
the remaining ones quantized and range-coded, everything else as beside coefficients.

    file := per tensor of two or more dimensions, in `named_parameters`' order:
                remaining varint, step u8, row u8       (`model_format`)
            length varint, stream: per tensor a zero or a one for each weight, then the symbols
            the other tensors (`side_tensors`)

Tensors of one dimension are never pruned.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from pranc_codec import entropy
from pranc_codec.fields import Reader, pack_varint
from pranc_codec.model_file import code_of_step, default_step, symbols_of
from pranc_codec.owners import TensorInfo, tensors_of
from pranc_codec.parameters import step_of_code
from pranc_codec.side_tensors import pack_tensors, unpack_tensors
from pranc_codec.tables import TOTAL, Row, rows


def prunable(module: nn.Module) -> Iterator[Tensor]:
    """Weights of layers, not their offsets and not normalization."""
    return (p for p in module.parameters() if p.dim() > 1)


@torch.no_grad()
def prune(module: nn.Module, density: float) -> None:
    """Zero all but the largest weights, in place. density: part of the weights that remains."""
    weights = list(prunable(module))
    magnitudes = torch.cat([w.abs().flatten() for w in weights])
    remaining = max(1, min(len(magnitudes), round(density * len(magnitudes))))
    threshold = magnitudes.kthvalue(len(magnitudes) - remaining + 1).values
    for weight in weights:
        weight.mul_(weight.abs() >= threshold)


def density_at(done: float, final: float) -> float:
    """Density during training: falls from 1 to `final` with the cube of what is left of the first
    half (Zhu & Gupta, "To prune, or not to prune", 2017), and stays there."""
    return final + (1 - final) * max(0.0, 1 - 2 * done) ** 3


@torch.no_grad()
def pack_pruned(module: nn.Module, steps_per_deviation: int) -> bytes:
    """A pruned module as bytes; `unpack_pruned` is the inverse, up to quantization.

    steps_per_deviation: root mean square of a tensor's remaining weights over its step.
    """
    header, encoder = b"", entropy.Encoder()
    for weight in prunable(module):
        flat = weight.flatten().cpu()
        remaining = flat[flat != 0]
        step = default_step(remaining, steps_per_deviation) if len(remaining) else 1.0
        code = code_of_step(step)
        symbols = symbols_of(remaining, step_of_code(code))
        row = entropy.cheapest_row(symbols)
        header += pack_varint(len(remaining)) + bytes([code, row])
        encoder.encode((flat != 0).int().numpy(), _row_of(len(remaining), len(flat)))
        encoder.encode(symbols, rows()[row])
    stream = encoder.finish()
    state, infos = module.state_dict(), tensors_of(module)
    others = {info.name: state[info.name] for info in infos if not _is_pruned(info)}
    return header + pack_varint(len(stream)) + stream + pack_tensors(infos, others, {}, half=True)


@torch.no_grad()
def unpack_pruned(data: bytes, module: nn.Module) -> None:
    """Fill a module of the same architecture."""
    reader, weights = Reader(data), list(prunable(module))
    heads = [(reader.varint(), step_of_code(reader.u8()), reader.u8()) for _ in weights]
    decoder = entropy.Decoder(reader.take(reader.varint()))
    for weight, (remaining, step, row) in zip(weights, heads, strict=True):
        mask = decoder.decode(weight.numel(), _row_of(remaining, weight.numel())) == 1
        values = np.zeros(weight.numel())
        values[mask] = decoder.decode(remaining, rows()[row]) * step
        weight.copy_(torch.from_numpy(values).view(weight.shape))
    decoder.finish()
    others = unpack_tensors(data[reader.position :], tensors_of(module), {})
    module.load_state_dict(others, strict=False)


def largest_density(module: nn.Module, steps_per_deviation: int, target_bytes: int) -> float:
    """The density at which the module's file is just within `target_bytes`, by bisection."""
    kept = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    low, high = 0.0, 1.0
    for _ in range(12):
        density = (low + high) / 2
        prune(module, density)
        fits = len(pack_pruned(module, steps_per_deviation)) <= target_bytes
        low, high = (density, high) if fits else (low, density)
        module.load_state_dict(kept)
    return low


def _is_pruned(info: TensorInfo) -> bool:
    return info.parameter and len(info.shape) > 1


def _row_of(remaining: int, size: int) -> Row:
    """Zeros and ones with (nearly) their frequencies; the escape is never used."""
    ones = min(max(remaining * TOTAL // max(size, 1), 1), TOTAL - 2)
    frequencies = np.array([TOTAL - 1 - ones, ones, 1], dtype=np.uint32)
    return Row(smallest=0, largest=1, frequencies=frequencies)
