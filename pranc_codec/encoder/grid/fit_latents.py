"""Fit the latents of one image: gradients through soft rounding, context model and synthesis.

The loss is that of the decisions in `grid_choice`, over the whole image: squared error of the
corrected reconstruction in steps, plus price * bits. Real-valued latents are seen through two soft
roundings with noise between them (`soft_rounding`), which sharpen as the fit goes on. The residual
network's PRANC coefficients are fitted with them, rounded, gradients straight through.

Nearly all time goes to the two networks, so most iterations do without them. What they said at the
last look (the context model's outputs, the residual network's correction) stands still until the
next one, and so does the loss's gradient through them; error and bits given what they said, and the
gradient of these, are of each iteration's latents. Networks look at latents without noise: one
sample of it would stand still as long.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.encoder.grid.progress import progress_of, shown
from pranc_codec.encoder.grid.soft_rounding import Softness, softly_rounded
from pranc_codec.encoder.request import ProgressCallback
from pranc_codec.grid import mixture, wavelet
from pranc_codec.grid.context import ContextModel
from pranc_codec.grid.enhancement import SynthesisNetwork, corrected
from pranc_codec.grid.mixture import Mixture
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.pranc.model import Pranc
from pranc_codec.pranc.rate_model import rate_bits, round_straight_through
from pranc_codec.precision import bfloat16_products

REPORTS: Final = 50  # calls of the progress callback


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """Schedule of a fit; rates and noise in steps, ranges from the first iteration to the last.
    Learning rates fall to zero as the square of what is left of the fit.

    looks: how often the networks are run. iterations_per_look: of the latents; the coefficients
    move once a look.
    """

    looks: int
    learning_rate: float
    iterations_per_look: int = 16
    coefficients_learning_rate: float = 0.2
    temperature: tuple[float, float] = (0.2, 0.02)
    noise: tuple[float, float] = (0.22, 0.05)

    @property
    def iterations(self) -> int:
        return self.looks * self.iterations_per_look

    def softness(self, part: float) -> Softness:
        """Of the rounding. part: of the fit that is over."""
        return Softness(*(a + (b - a) * part for a, b in (self.temperature, self.noise)))


@dataclass(frozen=True, kw_only=True)
class FitProblem:
    """What is fitted. opponent: the image; y: its wavelet coefficients in steps, `low` being final;
    synthesis: a network whose offsets are a `Pranc`; coefficient_step: of these coefficients."""

    opponent: Float[Tensor, "1 3 h w"]
    y: Pyramid
    colours: int
    q_step_code: int
    price: float
    context: ContextModel
    synthesis: SynthesisNetwork
    coefficient_step: float

    @property
    def step(self) -> float:
        return float(2.0 ** (self.q_step_code / 64))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.opponent.shape[2]), int(self.opponent.shape[3])


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """Real-valued latents, cheaper to code and to look at than the wavelet coefficients, and the
    symbols of the residual network's coefficients."""

    y: Pyramid
    coefficients: npt.NDArray[np.int32]


def fit(
    problem: FitProblem, settings: FitSettings, *, seed: int, progress: ProgressCallback | None
) -> FitResult:
    """Minimize error + price * bits of the latents and of the coefficients."""
    latents = [band.clone() for band in problem.y.bands]
    offsets = problem.synthesis.offsets
    assert isinstance(offsets, Pranc)
    coefficients = torch.zeros_like(next(offsets.parameters())).requires_grad_()
    groups = [
        dict(params=latents, peak=settings.learning_rate),
        dict(params=[coefficients], peak=settings.coefficients_learning_rate),
    ]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-8)
    generator = torch.Generator(problem.opponent.device).manual_seed(seed)
    masks = _masks(problem)
    every = max(1, settings.iterations // REPORTS)
    for iteration in range(settings.iterations):
        part = iteration / settings.iterations
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * (1 - part) ** 2
        optimizer.zero_grad()
        if iteration % settings.iterations_per_look == 0:
            soft, _ = softly_rounded(latents, masks, settings.softness(part), None)
            symbols = round_straight_through(coefficients / problem.coefficient_step)
            used = symbols * problem.coefficient_step
            with offsets.using([used]):
                seen = look(problem, soft, problem.price * rate_bits(symbols))
        soft, slopes = softly_rounded(latents, masks, settings.softness(part), generator)
        distortion, bits, gradients = follow(problem, soft, seen)
        for y, slope, gradient in zip(latents, slopes, gradients, strict=True):
            y.grad = gradient.mul_(slope)
        optimizer.step()
        if progress is not None and (
            iteration % every == 0 or iteration + 1 == settings.iterations
        ):
            rounded = [y.round() for y in latents]
            preview = partial(_preview, problem, rounded, used.detach())
            now = (iteration, settings.iterations, float(distortion), float(bits))
            progress(progress_of(problem, *now, preview))
    symbols = (coefficients.detach() / problem.coefficient_step).round().to(torch.int32)
    fitted = Pyramid(low=problem.y.low, bands=tuple(latents))
    return FitResult(y=fitted, coefficients=symbols.cpu().numpy())


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the networks said of latents: the context model's distributions by level, and what the
    residual network leaves for the inverse wavelet to give, in steps; and the loss's gradients with
    respect to the latents through both."""

    mixtures: list[Mixture]
    wanted: Float[Tensor, "1 3 h w"]
    gradients: list[Float[Tensor, "1 3 3 _ _"]]


def look(problem: FitProblem, latents: list[Tensor], price_of_coefficients: Tensor) -> Look:
    """Run the networks, forwards and back. The gradient of the coefficients, which these are the
    price of, is left with them."""
    leaves = [t.detach().requires_grad_() for t in latents]
    with bfloat16_products(problem.opponent.device):
        correction = _correction(problem, leaves)
    with torch.no_grad():
        gradient = 2 * _lost(problem, latents, correction) / problem.step**2
    torch.autograd.backward(
        [correction, price_of_coefficients], [gradient, torch.ones_like(price_of_coefficients)]
    )
    with bfloat16_products(problem.opponent.device):
        outputs = outputs_of(problem, leaves)
    known = [t.detach().requires_grad_() for t in outputs]
    of_bits = torch.autograd.grad(problem.price * bits_of(problem, latents, known), known)
    torch.autograd.backward(outputs, of_bits)
    return Look(
        mixtures=[mixture.mixture_of(t.detach()) for t in outputs],
        wanted=(problem.opponent - correction.detach()) / problem.step,
        gradients=[_gradient(t) for t in leaves],
    )


def follow(
    problem: FitProblem, latents: list[Tensor], seen: Look
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Error, bits, and the loss's gradient with respect to latents, as far as it is known since the
    last look."""
    leaves = [t.detach().requires_grad_() for t in latents]
    linear = wavelet.synthesize(Pyramid(low=problem.y.low, bands=tuple(leaves)), *problem.size)
    lost = linear.detach() - seen.wanted
    lost[:, problem.colours :] = 0
    distortion, bits = torch.dot(lost.view(-1), lost.view(-1)), torch.zeros_like(lost[0, 0, 0, 0])
    gradients = torch.autograd.grad(linear, leaves, 2 * lost)
    for t, distributions, gradient, known in zip(
        latents, seen.mixtures, gradients, seen.gradients, strict=True
    ):
        of_each, slopes = mixture.bits_and_slopes(t, distributions)
        bits += of_each[:, : problem.colours].sum()
        gradient.add_(slopes, alpha=problem.price).add_(known)
    return distortion, bits, list(gradients)


def bits_of(problem: FitProblem, latents: list[Tensor], outputs: list[Tensor]) -> Tensor:
    """Of the image, given what the context model said."""
    of_levels = [
        mixture.bits(bands, said)[:, : problem.colours].sum()
        for bands, said in zip(latents, outputs, strict=True)
    ]
    return torch.stack(of_levels).sum()


def outputs_of(problem: FitProblem, latents: list[Tensor]) -> list[Tensor]:
    """The context model's, by level."""
    symbols = Pyramid(low=problem.y.low, bands=tuple(latents))
    log2_step = problem.y.low.new_full((1,), problem.q_step_code / 64)
    return problem.context.outputs(symbols, log2_step)


def _lost(problem: FitProblem, latents: list[Tensor], correction: Tensor) -> Tensor:
    """Image as decoded minus image."""
    lost = _linear(problem, latents) + correction - problem.opponent
    lost[:, problem.colours :] = 0
    return lost


def _linear(problem: FitProblem, latents: list[Tensor]) -> Tensor:
    """The inverse wavelet."""
    symbols = Pyramid(low=problem.y.low, bands=tuple(latents))
    return wavelet.synthesize(symbols.map(lambda t: t * problem.step), *problem.size)


def _correction(problem: FitProblem, latents: list[Tensor]) -> Tensor:
    """What the residual network adds."""
    linear = _linear(problem, latents)
    parents = latents[-2] if len(latents) > 1 else None
    steps = linear.new_full((1,), problem.step)
    return corrected(problem.synthesis, linear, latents[-1], parents, steps) - linear


def _gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad


def _masks(problem: FitProblem) -> list[Tensor]:
    """1 where there are coefficients that are coded."""
    below = [*wavelet.grids(*problem.size)[1:], problem.size]
    out = []
    for size in below:
        mask = wavelet.present(*size).float()[None, None].repeat(1, 3, 1, 1, 1)
        mask[:, problem.colours :] = 0
        out.append(mask.to(problem.opponent.device))
    return out


@torch.no_grad()
def _preview(problem: FitProblem, latents: list[Tensor], coefficients: Tensor) -> np.ndarray:
    """The image of integer latents, uint8."""
    assert isinstance(problem.synthesis.offsets, Pranc)
    with problem.synthesis.offsets.using([coefficients]):
        image = _linear(problem, latents) + _correction(problem, latents)
    return shown(image[0].float(), problem.colours)
