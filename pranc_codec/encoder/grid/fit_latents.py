"""Fit the latents of one image by gradients through the context model and the enhancement network.

The loss is like that of `rdoq`, but over the whole image: the squared error of the enhanced
reconstruction in quantization steps, plus lmbda_steps2 * bits. Real-valued latents pass through two
soft roundings with noise between them (`soft_rounding`), which become sharper during the fit. The
PRANC coefficients of the enhancement network are fitted together with the latents. They are
rounded, with straight-through gradients.

Nearly all the time goes into the two networks, so they are evaluated in one of sixteen iterations.
Their outputs (the distributions, and the correction) and the gradient of the loss through them are
reused until the next evaluation. Error and bits given these outputs, and their gradient, are
computed anew in each iteration. The networks are evaluated at latents without noise, because a
single noise sample would stay frozen for sixteen iterations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pranc_codec.encoder.grid import latent_loss as loss
from pranc_codec.encoder.grid.latent_loss import LatentProblem, NetworkSnapshot
from pranc_codec.encoder.grid.progress import FitState, progress_of, rendered
from pranc_codec.encoder.grid.soft_rounding import Softness, softly_rounded
from pranc_codec.encoder.request import ProgressCallback
from pranc_codec.grid.enhancement import generated_biases
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.pranc.rate_model import rate_bits, round_straight_through

REPORTS: Final = 50  # calls of the progress callback


@dataclass(frozen=True, kw_only=True)
class LatentFitSettings:
    """Schedule of a latent fit.

    evaluations: number of network evaluations; the coefficients are updated once in each.
    iterations_per_evaluation: number of iterations of the latents between two evaluations.
    learning_rate: peak rate of the latents. coefficients_learning_rate: peak rate of the
    coefficients. Both fall to zero as the square of the remaining part of the fit. temperature,
    noise: see `Softness`; values at the first iteration and at the last. Rates of latents and noise
    are in quantization steps.
    """

    evaluations: int
    learning_rate: float
    iterations_per_evaluation: int = 16
    coefficients_learning_rate: float = 0.2
    temperature: tuple[float, float] = (0.2, 0.02)
    noise: tuple[float, float] = (0.22, 0.05)

    @property
    def iterations(self) -> int:
        return self.evaluations * self.iterations_per_evaluation

    def softness(self, part: float) -> Softness:
        """Return the softness of the rounding when this part (0 .. 1) of the fit is done."""
        return Softness(*(a + (b - a) * part for a, b in (self.temperature, self.noise)))


@dataclass(frozen=True, kw_only=True)
class FittedLatents:
    """The result of a latent fit.

    y: real-valued latents in quantization steps, with a lower rate-distortion cost. coefficients:
    symbols of the enhancement network's coefficients.
    """

    y: Pyramid
    coefficients: npt.NDArray[np.int32]


def fit(
    problem: LatentProblem,
    settings: LatentFitSettings,
    *,
    seed: int,
    progress: ProgressCallback | None,
) -> FittedLatents:
    """Minimize error + lmbda_steps2 * bits over the latents and the coefficients."""
    latents = [band.clone() for band in problem.y.bands]
    coefficients = torch.zeros_like(next(generated_biases(problem.enhancement).parameters()))
    coefficients.requires_grad_()
    optimizer = _optimizer_of(latents, coefficients, settings)
    generator = torch.Generator(problem.opponent.device).manual_seed(seed)
    masks = loss.masks_of(problem)
    report = _reporter(problem, settings, latents, progress)
    for first in range(0, settings.iterations, settings.iterations_per_evaluation):
        softness = settings.softness(first / settings.iterations)
        soft, _ = softly_rounded(latents, masks, softness, None)
        used, snapshot = _evaluate_at(problem, soft, coefficients)
        for iteration in range(first, first + settings.iterations_per_evaluation):
            part = iteration / settings.iterations
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * (1 - part) ** 2
            soft, derivatives = softly_rounded(latents, masks, settings.softness(part), generator)
            distortion, bits, gradients = loss.surrogate_gradients(problem, soft, snapshot)
            for y, derivative, gradient in zip(latents, derivatives, gradients, strict=True):
                y.grad = gradient.mul_(derivative)
            optimizer.step()
            optimizer.zero_grad()
            report(iteration, distortion, bits, used)
    symbols = (coefficients.detach() / problem.coefficient_q_step).round().to(torch.int32)
    return FittedLatents(y=problem.pyramid(latents), coefficients=symbols.cpu().numpy())


def _optimizer_of(
    latents: list[Tensor], coefficients: Tensor, settings: LatentFitSettings
) -> torch.optim.Adam:
    """Return Adam with a peak learning rate for each group.

    A group without gradients is not updated.
    """
    groups = [
        dict(params=latents, peak=settings.learning_rate),
        dict(params=[coefficients], peak=settings.coefficients_learning_rate),
    ]
    return torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-8)


def _evaluate_at(
    problem: LatentProblem, latents: list[Tensor], coefficients: Tensor
) -> tuple[Tensor, NetworkSnapshot]:
    """Evaluate the networks with rounded coefficients; return these and the snapshot."""
    symbols = round_straight_through(coefficients / problem.coefficient_q_step)
    used = symbols * problem.coefficient_q_step
    rate_cost = problem.lmbda_steps2 * rate_bits(symbols)
    with generated_biases(problem.enhancement).using([used]):
        snapshot = loss.evaluate_networks(problem, latents, rate_cost)
    return used.detach(), snapshot


def _reporter(
    problem: LatentProblem,
    settings: LatentFitSettings,
    latents: list[Tensor],
    progress: ProgressCallback | None,
) -> Callable[[int, Tensor, Tensor, Tensor], None]:
    """Return a function that calls `progress` after some of the iterations."""
    every = max(1, settings.iterations // REPORTS)

    def report(iteration: int, distortion: Tensor, bits: Tensor, coefficients: Tensor) -> None:
        last = iteration + 1 == settings.iterations
        if progress is None or (iteration % every and not last):
            return
        rounded = [y.round() for y in latents]
        state = FitState(
            iteration=iteration,
            iterations=settings.iterations,
            distortion_steps2=float(distortion),
            bits=float(bits),
            preview=partial(_preview, problem, rounded, coefficients),
        )
        progress(progress_of(problem, state))

    return report


@torch.no_grad()
def _preview(problem: LatentProblem, latents: list[Tensor], coefficients: Tensor) -> np.ndarray:
    """Render the image of integer latents, uint8."""
    with generated_biases(problem.enhancement).using([coefficients]):
        image = loss.linear_of(problem, latents) + loss.correction_of(problem, latents)
    return rendered(image[0].float(), problem.colours)
