"""Fit the residual network's PRANC coefficients to an image whose symbols are chosen.

The latents stay as they are, so nothing of the context model runs: seconds, for images of any size.
Each iteration sees one random window; what it loses there is taken for the whole image.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.encoder.grid.progress import progress_of, shown
from pranc_codec.encoder.request import ProgressCallback
from pranc_codec.entropy.range_coder import Integers
from pranc_codec.grid import decode as grid_decode
from pranc_codec.grid.enhancement import SynthesisNetwork
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.pranc.model import Pranc
from pranc_codec.pranc.rate_model import rate_bits, round_straight_through
from pranc_codec.precision import bfloat16_products

LEARNING_RATE: Final = 0.1
WINDOW_CELLS: Final = 32
REPORTS: Final = 20  # calls of the progress callback


@dataclass(frozen=True, kw_only=True)
class OffsetsProblem:
    """opponent: the image, of `colours` (1: its first opponent colour matters only); symbols: its
    integers at `step`; price: of a bit, in squared steps; synthesis: a network whose offsets are a
    `Pranc`; coefficient_step: of these coefficients."""

    opponent: Float[Tensor, "1 3 h w"]
    colours: int
    symbols: Pyramid
    step: float
    price: float
    synthesis: SynthesisNetwork
    coefficient_step: float
    bits: int
    """Of the latents, for reports."""


def fit_offsets(
    problem: OffsetsProblem, iterations: int, *, seed: int, start: Integers | None = None,
    progress: ProgressCallback | None = None,
) -> Integers:  # fmt: skip
    """Symbols of the coefficients with the least error + price * bits. start: symbols to go on
    from."""
    offsets, opponent = problem.synthesis.offsets, problem.opponent
    assert isinstance(offsets, Pranc)
    coefficients = torch.zeros_like(next(offsets.parameters()))
    if start is not None:
        coefficients += torch.from_numpy(start).to(coefficients) * problem.coefficient_step
    coefficients.requires_grad_()
    height, width = opponent.shape[2:]
    linear = grid_decode.linear_of(problem.symbols, (height, width), problem.step)
    optimizer = torch.optim.Adam([coefficients], lr=LEARNING_RATE, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(seed)
    every = max(1, iterations // REPORTS)
    for iteration in range(iterations):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * iteration / iterations)) / 2
        symbols = round_straight_through(coefficients / problem.coefficient_step)
        with offsets.using([symbols * problem.coefficient_step]):
            error = _error(problem, linear, generator)
        optimizer.zero_grad()
        (error + problem.price * rate_bits(symbols)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if progress is not None and (iteration % every == 0 or iteration + 1 == iterations):
            bits = problem.bits + float(rate_bits(symbols.detach()))
            preview = partial(_preview, problem, symbols.detach() * problem.coefficient_step)
            now = (iteration, iterations, float(error.detach()), bits)
            progress(progress_of(problem, *now, preview))
    symbols = (coefficients.detach() / problem.coefficient_step).round().to(torch.int32)
    return symbols.cpu().numpy()


def _error(problem: OffsetsProblem, linear: Tensor, generator: torch.Generator) -> Tensor:
    """Squared error in steps of the whole image, as a random window of it has it."""
    top, bottom = _window(problem.symbols.bands[-1].shape[3], generator)
    left, right = _window(problem.symbols.bands[-1].shape[4], generator)
    box = (top, left, bottom, right)
    with bfloat16_products(linear.device):
        part = grid_decode.corrected_part(
            problem.symbols, linear, problem.synthesis, problem.step, box
        )
    wanted = problem.opponent[0, :, 2 * top : 2 * bottom, 2 * left : 2 * right]
    error = (part - wanted)[: problem.colours].square().sum() / problem.step**2
    return error * (problem.opponent[0].numel() / wanted.numel())


@torch.no_grad()
def _preview(problem: OffsetsProblem, coefficients: Tensor) -> np.ndarray:
    """The image with these coefficients, uint8."""
    size = (problem.opponent.shape[2], problem.opponent.shape[3])
    assert isinstance(problem.synthesis.offsets, Pranc)
    with problem.synthesis.offsets.using([coefficients]):
        image = grid_decode.reconstruct(problem.symbols, problem.synthesis, size, problem.step)
    return shown(image, problem.colours)


def _window(cells: int, generator: torch.Generator) -> tuple[int, int]:
    """Where a random window begins and ends along an axis."""
    if cells <= WINDOW_CELLS:
        return 0, cells
    first = int(torch.randint(cells - WINDOW_CELLS + 1, (), generator=generator))
    return first, first + WINDOW_CELLS
