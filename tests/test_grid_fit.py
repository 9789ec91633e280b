"""The fit of latents: what it remembers of the networks, and what it follows."""

import itertools
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from skimage import data as skimage_data

from pranc_codec.encoder.grid import candidates, fit_latents
from pranc_codec.encoder.grid.fit_latents import LatentFitSettings, LatentProblem
from pranc_codec.encoder.grid.soft_rounding import Softness, soft_round, softly_rounded
from pranc_codec.encoder.grid.tiles import SIDE, Span, fit_tiles, part_of, spans
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.image import load_picture
from pranc_codec.pranc.rate_model import rate_bits

Q_STEP_CODE = -200


def problem_of(height: int = 63, width: int = 95, *, grey: bool = False) -> LatentProblem:
    image = skimage_data.astronaut()[:height, 200 : 200 + width].copy()
    picture = load_picture(image[:, :, 0] if grey else image)
    request = EncodeRequest(picture=picture, effort=4)
    return candidates.GridCandidates(request).latents_problem(Q_STEP_CODE)


def moved(problem: LatentProblem) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Latents and coefficients, not where a fit begins."""
    torch.manual_seed(0)
    latents = [(t + 0.3 * torch.randn(t.shape)).requires_grad_() for t in problem.y.bands]
    count = next(problem.enhancement.biases.parameters()).numel()
    return latents, (0.3 * torch.randn(count)).requires_grad_()


def whole_loss(
    problem: LatentProblem, latents: list[torch.Tensor], coefficients: torch.Tensor
) -> torch.Tensor:
    """All of it at once, through the networks."""
    with problem.enhancement.biases.using([coefficients]):
        outputs = fit_latents.outputs_of(problem, latents)
        correction = fit_latents._correction(problem, latents)
    distortion = fit_latents._lost(problem, latents, correction).square().sum() / problem.q_step**2
    bits = fit_latents.bits_of(problem, latents, outputs)
    rate = rate_bits(coefficients / problem.coefficient_q_step)
    return distortion + problem.lmbda_steps2 * (bits + rate)


@pytest.mark.parametrize(
    ("height", "width", "grey"),
    [(63, 95, False), (63, 95, True), (1, 40, False), (40, 1, False), (9, 9, False)],
)
def test_at_an_evaluation_the_gradient_is_that_of_the_whole_loss(height, width, grey, monkeypatch):
    problem = problem_of(height, width, grey=grey)
    monkeypatch.setattr(fit_latents, "bfloat16_products", lambda _: nullcontext())
    latents, coefficients = moved(problem)
    loss = whole_loss(problem, latents, coefficients)
    wanted = torch.autograd.grad(loss, [*latents, coefficients])
    rate = rate_bits(coefficients / problem.coefficient_q_step)
    with problem.enhancement.biases.using([coefficients]):
        seen = fit_latents.evaluate_networks(problem, latents, problem.lmbda_steps2 * rate)
    distortion, bits, gradients = fit_latents.surrogate_gradients(problem, latents, seen)
    torch.testing.assert_close(distortion + problem.lmbda_steps2 * (bits + rate), loss)
    torch.testing.assert_close(coefficients.grad, wanted[-1], rtol=1e-4, atol=1e-5)
    for found, gradient, mask in zip(gradients, wanted, fit_latents._masks(problem), strict=False):
        difference = ((found - gradient) * mask).abs().max()
        assert difference < 1e-4 * gradient.abs().max()  # sums in other orders


TILES = LatentFitSettings(evaluations=3, learning_rate=0.02)


def test_fitted_in_tiles_an_image_gains_what_it_does_as_a_whole(monkeypatch):
    picture = load_picture(np.concatenate([skimage_data.astronaut()[:, 200:264]] * 2)[:-3])
    source = candidates.GridCandidates(EncodeRequest(picture=picture, effort=4))
    plain = source.plain(Q_STEP_CODE).encoded.loss(candidates.FIT_LMBDA_STEPS2)

    def gain() -> float:
        _, alone = source.with_latents(Q_STEP_CODE, TILES)
        return 1 - alone.encoded.loss(candidates.FIT_LMBDA_STEPS2) / plain

    whole = gain()
    reports = []
    monkeypatch.setattr(candidates, "MOST_PIXELS_AT_ONCE", 0)
    options = dict(progress=reports.append, side=512)
    monkeypatch.setattr(candidates, "fit_tiles", lambda *a, **o: fit_tiles(*a, **o | options))
    assert gain() > 0.9 * whole > 0.009
    assert [r.iteration for r in reports] == sorted(r.iteration for r in reports)
    assert reports[-1].iteration == reports[-1].iterations == 2 * TILES.iterations


def test_tiles_see_the_image_and_its_latents():
    problem = problem_of(512, 200)
    down, across = Span((0, 256), (0, 384)), Span((0, 200), (0, 200))
    part = part_of(problem, down, across)
    lost = part.opponent - problem.opponent[:, :, :384]
    inside, margin = (
        lost[:, :, :256].square().mean().sqrt(),
        lost[:, :, 320:].square().mean().sqrt(),
    )
    assert inside < 0.3 * problem.q_step < margin
    for whole, cut in zip(problem.y.bands, part.y.bands, strict=True):
        assert torch.equal(whole[..., : cut.shape[3], :], cut)


@pytest.mark.parametrize("length", [1, 100, 768, 769, 1449, 5000])
def test_tiles_cover_an_axis(length):
    found = spans(length, SIDE)
    tiles = [span.tile for span in found]
    assert tiles[0][0] == 0
    assert tiles[-1][1] == length
    assert all(a[1] == b[0] for a, b in itertools.pairwise(tiles))
    assert all(begin % 128 == 0 and 0 < end - begin <= SIDE for begin, end in tiles)
    for span in found:
        first, last = span.part
        assert first == max(0, span.tile[0] - 128)
        assert last == min(length, span.tile[1] + 128)
        # as many levels as the image has
        assert last - first == length or last - first >= 512


def test_networks_are_evaluated_at_latents_without_noise(monkeypatch):
    problem, settings = (
        problem_of(),
        LatentFitSettings(evaluations=2, iterations_per_evaluation=3, learning_rate=0),
    )
    evaluated, iterated = [], []
    real_evaluate, real_gradients = fit_latents.evaluate_networks, fit_latents.surrogate_gradients

    def evaluate_networks(problem, latents, rate_cost):
        evaluated.append([t.detach().clone() for t in latents])
        return real_evaluate(problem, latents, rate_cost)

    def surrogate_gradients(problem, latents, snapshot):
        iterated.append([t.detach().clone() for t in latents])
        return real_gradients(problem, latents, snapshot)

    monkeypatch.setattr(fit_latents, "evaluate_networks", evaluate_networks)
    monkeypatch.setattr(fit_latents, "surrogate_gradients", surrogate_gradients)
    fit_latents.fit(problem, settings, seed=0, progress=None)
    masks = fit_latents._masks(problem)
    bands = list(problem.y.bands)
    for part, seen in zip((0, 0.5), evaluated, strict=True):
        wanted, _ = softly_rounded(bands, masks, settings.softness(part), None)
        torch.testing.assert_close(seen, wanted)
    assert len(iterated) == settings.iterations
    assert all(not torch.equal(a[-1], b[-1]) for a, b in itertools.pairwise(iterated))


@pytest.mark.parametrize("temperature", [0.05, 0.3, 5])
def test_derivatives_of_soft_rounding_are_autograds(temperature):
    x = torch.linspace(-3.02, 2.96, 300, dtype=torch.float64, requires_grad=True)
    value, derivative = soft_round(x, temperature)
    torch.testing.assert_close(derivative, torch.autograd.grad(value.sum(), x)[0])


def test_derivatives_with_noise_are_those_of_differences():
    y = torch.linspace(-3.02, 2.96, 3000, dtype=torch.float64)[None]
    mask = (torch.arange(3000) % 3 > 0)[None].double()

    def at(shift: float) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        values, derivatives = softly_rounded([y + shift], [mask], Softness(0.15, 0.2), generator)
        return values[0], derivatives[0]

    derivative = at(0)[1]
    assert derivative.max() > 3
    assert not derivative[mask == 0].any()
    found = (at(1e-6)[0] - at(-1e-6)[0]) / 2e-6
    # but where a half lies between the two, which are as far apart as rounding is hard
    assert ((found - derivative).abs() < 1e-5).float().mean() > 0.999


def test_noise_and_temperature_end_near_rounding():
    y, mask = torch.linspace(-3, 3, 1001)[None], torch.ones(1, 1001)
    settings = LatentFitSettings(evaluations=1, learning_rate=0)
    generator = torch.Generator().manual_seed(0)
    first, last = (
        (softly_rounded([y], [mask], settings.softness(part), generator)[0][0] - y.round()).abs()
        for part in (0, 1)
    )
    assert 3 * last.mean() < first.mean() < 0.1
