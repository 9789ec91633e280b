"""Fit the PRANC coefficients of the enhancement network to an image whose symbols are decided.

The latents do not change, so the context model is not needed, and a fit takes seconds for images of
any size. Each iteration uses one random window, from which the error of the whole image is
estimated.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.encoder.grid.progress import FitState, progress_of, rendered
from pranc_codec.encoder.request import ProgressCallback
from pranc_codec.entropy.range_coder import Integers
from pranc_codec.grid.enhancement import EnhancementNetwork, generated_biases
from pranc_codec.grid.reconstruct import enhanced_part, linear_of, reconstruct
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.pranc.rate_model import rate_bits, round_straight_through
from pranc_codec.precision import bfloat16_products

LEARNING_RATE: Final = 0.1
WINDOW_CELLS: Final = 32
REPORTS: Final = 20  # calls of the progress callback


@dataclass(frozen=True, kw_only=True)
class BiasProblem:
    """The problem that a fit of the biases solves.

    opponent: the image in opponent colours around mid-grey. colours: how many of these count; 1 for
    a grey image. symbols: the latents' symbols, with the quantization step `q_step`. lmbda_steps2:
    lambda in squared quantization steps. enhancement: a network whose biases are a `Pranc`.
    coefficient_q_step: quantization step of its coefficients. bits: size of the coded latents, for
    progress reports.
    """

    opponent: Float[Tensor, "1 3 h w"]
    colours: int
    symbols: Pyramid
    q_step: float
    lmbda_steps2: float
    enhancement: EnhancementNetwork
    coefficient_q_step: float
    bits: int


def fit_biases(
    problem: BiasProblem, iterations: int, *, seed: int, start: Integers | None = None,
    progress: ProgressCallback | None = None,
) -> Integers:  # fmt: skip
    """Fit the coefficients to the least error + lmbda_steps2 * bits; return their symbols.

    start: symbols to start from; None for zeros.
    """
    biases, opponent = generated_biases(problem.enhancement), problem.opponent
    coefficients = torch.zeros_like(next(biases.parameters()))
    if start is not None:
        coefficients += torch.from_numpy(start).to(coefficients) * problem.coefficient_q_step
    coefficients.requires_grad_()
    linear = linear_of(problem.symbols, _size(opponent), problem.q_step)
    optimizer = torch.optim.Adam([coefficients], lr=LEARNING_RATE, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(seed)
    every = max(1, iterations // REPORTS)
    for iteration in range(iterations):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * iteration / iterations)) / 2
        symbols = round_straight_through(coefficients / problem.coefficient_q_step)
        with biases.using([symbols * problem.coefficient_q_step]):
            error = _error(problem, linear, generator)
        optimizer.zero_grad()
        loss = error + problem.lmbda_steps2 * rate_bits(symbols)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if progress is not None and (iteration % every == 0 or iteration + 1 == iterations):
            used = symbols.detach() * problem.coefficient_q_step
            state = FitState(
                iteration=iteration,
                iterations=iterations,
                distortion_steps2=float(error.detach()),
                bits=problem.bits + float(rate_bits(symbols.detach())),
                preview=partial(_preview, problem, used),
            )
            progress(progress_of(problem, state))
    symbols = (coefficients.detach() / problem.coefficient_q_step).round().to(torch.int32)
    return symbols.cpu().numpy()


def _error(problem: BiasProblem, linear: Tensor, generator: torch.Generator) -> Tensor:
    """Estimate the whole image's squared error in quantization steps from one random window."""
    top, bottom = _window(problem.symbols.bands[-1].shape[3], generator)
    left, right = _window(problem.symbols.bands[-1].shape[4], generator)
    box = (top, left, bottom, right)
    with bfloat16_products(linear.device):
        part = enhanced_part(problem.symbols, linear, problem.enhancement, problem.q_step, box)
    wanted = problem.opponent[0, :, 2 * top : 2 * bottom, 2 * left : 2 * right]
    error = (part - wanted)[: problem.colours].square().sum() / problem.q_step**2
    return error * (problem.opponent[0].numel() / wanted.numel())


@torch.no_grad()
def _preview(problem: BiasProblem, coefficients: Tensor) -> np.ndarray:
    """Render the image with these coefficients, uint8."""
    size = _size(problem.opponent)
    with generated_biases(problem.enhancement).using([coefficients]):
        image = reconstruct(problem.symbols, problem.enhancement, size, problem.q_step)
    return rendered(image, problem.colours)


def _size(opponent: Tensor) -> tuple[int, int]:
    """Return (height, width)."""
    return int(opponent.shape[2]), int(opponent.shape[3])


def _window(cells: int, generator: torch.Generator) -> tuple[int, int]:
    """Return the first cell of a random window along an axis, and the cell after its last."""
    if cells <= WINDOW_CELLS:
        return 0, cells
    first = int(torch.randint(cells - WINDOW_CELLS + 1, (), generator=generator))
    return first, first + WINDOW_CELLS
