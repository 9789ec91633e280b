"""Fit the latents of one image by gradients through the context model and the enhancement network.

The loss is that of the decisions in `rdoq`, over the whole image: squared error of the enhanced
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
from jaxtyping import Float
from torch import Tensor

from pranc_codec.encoder.grid.progress import FitState, progress_of, rendered
from pranc_codec.encoder.grid.soft_rounding import Softness, softly_rounded
from pranc_codec.encoder.request import ProgressCallback
from pranc_codec.grid import mixture, wavelet
from pranc_codec.grid.context import ContextModel
from pranc_codec.grid.enhancement import EnhancementNetwork, enhanced, generated_biases
from pranc_codec.grid.mixture import Mixture
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.pranc.rate_model import rate_bits, round_straight_through
from pranc_codec.precision import bfloat16_products

REPORTS: Final = 50  # calls of the progress callback


@dataclass(frozen=True, kw_only=True)
class LatentFitSettings:
    """Schedule of a fit. Rates and noise are in quantization steps; ranges are from the first
    iteration to the last. Learning rates fall to zero as the square of the remaining part.

    evaluations: how often the networks are evaluated; the coefficients move as often.
    iterations_per_evaluation: of the latents.
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
        """Softness of the rounding when this part of the fit is done."""
        return Softness(*(a + (b - a) * part for a, b in (self.temperature, self.noise)))


@dataclass(frozen=True, kw_only=True)
class LatentProblem:
    """What is fitted.

    opponent: the image. y: its wavelet coefficients in quantization steps; the approximation is
    final. colours: how many of the opponent colours count. enhancement: a network whose biases are
    a `Pranc`. coefficient_q_step: quantization step of its coefficients.
    """

    opponent: Float[Tensor, "1 3 h w"]
    y: Pyramid
    colours: int
    q_step_code: int
    lmbda_steps2: float
    context: ContextModel
    enhancement: EnhancementNetwork
    coefficient_q_step: float

    @property
    def q_step(self) -> float:
        return float(2.0 ** (self.q_step_code / 64))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""
        return int(self.opponent.shape[2]), int(self.opponent.shape[3])


@dataclass(frozen=True, kw_only=True)
class FittedLatents:
    """Real-valued latents with a lower rate-distortion cost, and the symbols of the enhancement
    network's coefficients."""

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
    masks = _masks(problem)
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
            distortion, bits, gradients = surrogate_gradients(problem, soft, snapshot)
            for y, derivative, gradient in zip(latents, derivatives, gradients, strict=True):
                y.grad = gradient.mul_(derivative)
            optimizer.step()
            optimizer.zero_grad()
            report(iteration, distortion, bits, used)
    symbols = (coefficients.detach() / problem.coefficient_q_step).round().to(torch.int32)
    fitted = Pyramid(approximation=problem.y.approximation, bands=tuple(latents))
    return FittedLatents(y=fitted, coefficients=symbols.cpu().numpy())


def _optimizer_of(
    latents: list[Tensor], coefficients: Tensor, settings: LatentFitSettings
) -> torch.optim.Adam:
    """Adam with a peak learning rate for each group. A group without gradients does not move."""
    groups = [
        dict(params=latents, peak=settings.learning_rate),
        dict(params=[coefficients], peak=settings.coefficients_learning_rate),
    ]
    return torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-8)


def _evaluate_at(
    problem: LatentProblem, latents: list[Tensor], coefficients: Tensor
) -> "tuple[Tensor, NetworkSnapshot]":
    """Evaluate the networks with the rounded coefficients; returns these and the snapshot."""
    symbols = round_straight_through(coefficients / problem.coefficient_q_step)
    used = symbols * problem.coefficient_q_step
    rate_cost = problem.lmbda_steps2 * rate_bits(symbols)
    with generated_biases(problem.enhancement).using([used]):
        snapshot = evaluate_networks(problem, latents, rate_cost)
    return used.detach(), snapshot


def _reporter(
    problem: LatentProblem,
    settings: LatentFitSettings,
    latents: list[Tensor],
    progress: ProgressCallback | None,
) -> Callable[[int, Tensor, Tensor, Tensor], None]:
    """A function that tells `progress` the state after some of the iterations."""
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


@dataclass(frozen=True, kw_only=True)
class NetworkSnapshot:
    """The outputs of the networks at some latents, which are reused until the next evaluation.

    mixtures: distributions by level. wanted: what the inverse wavelet should give, in quantization
    steps: the image minus the correction. gradients: of the loss with respect to the latents,
    through both networks.
    """

    mixtures: list[Mixture]
    wanted: Float[Tensor, "1 3 h w"]
    gradients: list[Float[Tensor, "1 3 3 _ _"]]


def evaluate_networks(
    problem: LatentProblem, latents: list[Tensor], rate_cost: Tensor
) -> NetworkSnapshot:
    """Run both networks, forwards and backwards.

    rate_cost: lmbda_steps2 * bits of the coefficients. Its gradient and that of the error
    accumulate into `coefficients.grad`.
    """
    leaves = [t.detach().requires_grad_() for t in latents]
    with bfloat16_products(problem.opponent.device):
        correction = _correction(problem, leaves)
    with torch.no_grad():
        gradient = 2 * _lost(problem, latents, correction) / problem.q_step**2
    torch.autograd.backward([correction, rate_cost], [gradient, torch.ones_like(rate_cost)])
    with bfloat16_products(problem.opponent.device):
        outputs = outputs_of(problem, leaves)
    known = [t.detach().requires_grad_() for t in outputs]
    of_bits = torch.autograd.grad(problem.lmbda_steps2 * bits_of(problem, latents, known), known)
    torch.autograd.backward(outputs, of_bits)
    return NetworkSnapshot(
        mixtures=[mixture.mixture_of(t.detach()) for t in outputs],
        wanted=(problem.opponent - correction.detach()) / problem.q_step,
        gradients=[_gradient(t) for t in leaves],
    )


def surrogate_gradients(
    problem: LatentProblem, latents: list[Tensor], snapshot: NetworkSnapshot
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Error in squared steps, bits, and the gradient of the loss with respect to the latents, all
    with the outputs of the networks at the last evaluation."""
    leaves = [t.detach().requires_grad_() for t in latents]
    linear = wavelet.synthesize(_pyramid_of(problem, leaves), *problem.size)
    lost = linear.detach() - snapshot.wanted
    lost[:, problem.colours :] = 0
    distortion, bits = torch.dot(lost.view(-1), lost.view(-1)), torch.zeros_like(lost[0, 0, 0, 0])
    gradients = torch.autograd.grad(linear, leaves, 2 * lost)
    for t, distributions, gradient, known in zip(
        latents, snapshot.mixtures, gradients, snapshot.gradients, strict=True
    ):
        of_each, derivatives = mixture.bits_and_derivatives(t, distributions)
        bits += of_each[:, : problem.colours].sum()
        gradient.add_(derivatives, alpha=problem.lmbda_steps2).add_(known)
    return distortion, bits, list(gradients)


def bits_of(problem: LatentProblem, latents: list[Tensor], outputs: list[Tensor]) -> Tensor:
    """Bits of the image's latents, given the outputs of the context model."""
    of_levels = [
        mixture.bits(bands, of_level)[:, : problem.colours].sum()
        for bands, of_level in zip(latents, outputs, strict=True)
    ]
    return torch.stack(of_levels).sum()


def outputs_of(problem: LatentProblem, latents: list[Tensor]) -> list[Tensor]:
    """Outputs of the context model, by level."""
    log2_q_step = problem.y.approximation.new_full((1,), problem.q_step_code / 64)
    return problem.context.outputs(_pyramid_of(problem, latents), log2_q_step)


def _pyramid_of(problem: LatentProblem, latents: list[Tensor]) -> Pyramid:
    return Pyramid(approximation=problem.y.approximation, bands=tuple(latents))


def _lost(problem: LatentProblem, latents: list[Tensor], correction: Tensor) -> Tensor:
    """The decoded image minus the image."""
    lost = _linear(problem, latents) + correction - problem.opponent
    lost[:, problem.colours :] = 0
    return lost


def _linear(problem: LatentProblem, latents: list[Tensor]) -> Tensor:
    """The inverse wavelet."""
    symbols = _pyramid_of(problem, latents)
    return wavelet.synthesize(symbols.map(lambda t: t * problem.q_step), *problem.size)


def _correction(problem: LatentProblem, latents: list[Tensor]) -> Tensor:
    """The correction of the enhancement network."""
    linear = _linear(problem, latents)
    parents = latents[-2] if len(latents) > 1 else None
    q_step = linear.new_full((1,), problem.q_step)
    return enhanced(problem.enhancement, linear, latents[-1], parents, q_step) - linear


def _gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad


def _masks(problem: LatentProblem) -> list[Tensor]:
    """1 where there are coefficients that are coded."""
    out = []
    for size in wavelet.sizes_below(*problem.size):
        mask = wavelet.coded_mask(*size).float()[None, None].repeat(1, 3, 1, 1, 1)
        mask[:, problem.colours :] = 0
        out.append(mask.to(problem.opponent.device))
    return out


@torch.no_grad()
def _preview(problem: LatentProblem, latents: list[Tensor], coefficients: Tensor) -> np.ndarray:
    """The image of integer latents, uint8."""
    with generated_biases(problem.enhancement).using([coefficients]):
        image = _linear(problem, latents) + _correction(problem, latents)
    return rendered(image[0].float(), problem.colours)
