"""Magnitude pruning, coded as well as the condensed models it is compared with.

A pruned network is coded by one range-coded stream: for each tensor the mask of weights that are
kept, under the exact share of ones, then the kept weights as multiples of a step under the best
row of `tables`. Beside it 5 bytes a tensor: how many are kept (3), step and row. The size is of
real bytes; no container around them is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from pranc_codec.entropy import Encoder, cheapest_row
from pranc_codec.tables import TOTAL, Row, rows

BYTES_A_TENSOR: Final = 5
Weights = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """A coded network: its bytes, and the weights that a decoder gets."""

    size_bytes: int
    weights: dict[str, Tensor]


def keep_largest(weights: Weights, count: int) -> dict[str, Tensor]:
    """Masks of the `count` weights that are largest in magnitude, over all tensors.

    Magnitudes are relative to their tensor's root mean square: absolute ones would empty whole
    layers long before such rates are reached.
    """
    deviations = [w.square().mean().sqrt().clamp_min(1e-12) for w in weights.values()]
    relative = [w.abs().reshape(-1) / d for w, d in zip(weights.values(), deviations, strict=True)]
    flat = torch.cat(relative)
    kept = torch.zeros_like(flat, dtype=torch.bool)
    kept[flat.topk(count).indices] = True
    parts = torch.split(kept, [len(r) for r in relative])
    return {name: m.view_as(w) for (name, w), m in zip(weights.items(), parts, strict=True)}


def code(weights: Weights, masks: Weights, step: float) -> Pruned:
    """Code the weights under the masks with a quantization step relative to their deviation."""
    encoder, decoded = Encoder(), {}
    for name, weight in weights.items():
        mask = masks[name].reshape(-1).numpy().astype(np.int32)
        kept = weight[masks[name]]
        width = step * float(kept.square().mean().sqrt()) if kept.numel() else 1.0
        symbols = torch.round(kept / width)
        encoder.encode(mask, _share_row(int(mask.sum()), mask.size))
        integers = symbols.numpy().astype(np.int32)
        encoder.encode(integers, rows()[cheapest_row(integers)])
        decoded[name] = torch.zeros_like(weight).masked_scatter_(masks[name], symbols * width)
    size = len(encoder.finish()) + BYTES_A_TENSOR * len(weights)
    return Pruned(size_bytes=size, weights=decoded)


def keep_within(weights: Weights, budget_bytes: int, step: float) -> dict[str, Tensor]:
    """Masks of as many of the largest weights as the budget holds, by bisection."""
    low, high = 1, sum(w.numel() for w in weights.values())
    while low < high:
        middle = (low + high + 1) // 2
        fits = code(weights, keep_largest(weights, middle), step).size_bytes <= budget_bytes
        low, high = (middle, high) if fits else (low, middle - 1)
    return keep_largest(weights, low)


class Masked(nn.Module):
    """A network of which only the weights under the masks are trained; others are zero."""

    def __init__(self, network: nn.Module, masks: Weights) -> None:
        super().__init__()
        self.network, self.masks = network, dict(masks)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.mul_(masks[name])
                parameter.register_hook(masks[name].mul)  # type: ignore[no-untyped-call]

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.network(images)
        return out


def _share_row(ones: int, size: int) -> Row:
    """A distribution of 0 and 1 with the mask's share of ones; escapes cannot happen."""
    frequency = min(max(round(ones / size * TOTAL), 1), TOTAL - 2)
    return Row(
        smallest=0, largest=1,
        frequencies=np.array([TOTAL - frequency - 1, frequency, 1], dtype=np.uint32),
    )  # fmt: skip
