"""The candidates for a file of the grid profile: wavelet coefficients, and fits of them.

Rate is weighed against distortion by `lmbda_steps2`, which is lambda in squared quantization steps:
with the MSE over three colours, lmbda = lmbda_steps2 * q_step^2 / 3. `rdoq` uses it to decide
symbols, `fit_latents` to fit latents, and `fit_biases` to fit the enhancement network's
coefficients.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.encoder.grid.coded import (
    COEFFICIENT_Q_STEP_CODE,
    CodedLatents,
    EncodedCandidate,
    code_latents,
)
from pranc_codec.encoder.grid.effort import biases_iterations, evaluations_of, fit_settings
from pranc_codec.encoder.grid.fit_biases import BiasProblem, fit_biases
from pranc_codec.encoder.grid.fit_latents import LatentFitSettings, fit
from pranc_codec.encoder.grid.latent_loss import LatentProblem
from pranc_codec.encoder.grid.rate_estimate import RateEstimate
from pranc_codec.encoder.grid.tiles import MOST_PIXELS_AT_ONCE, fit_tiles
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.entropy.range_coder import Integers
from pranc_codec.format.parameters import grid_q_step_of_code, q_step_of_code
from pranc_codec.grid import decode as grid_decode, prior as priors, wavelet
from pranc_codec.grid.enhancement import EnhancementNetwork
from pranc_codec.grid.opponent import opponent_of
from pranc_codec.grid.prior import GridPrior
from pranc_codec.grid.wavelet import Pyramid

LMBDA_STEPS2: Final = 0.1
"""Lambda for symbols that are decided without a fit."""
FIT_LMBDA_STEPS2: Final = 0.115
"""Lambda for fits, and for comparing candidates."""
REMEMBERED: Final = 2
"""How many candidates without a fit are kept; a search returns to the last two steps."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RealLatents:
    """Real-valued latents, before their symbols are decided.

    prior: the prior that codes them. y: the latents in quantization steps. lmbda_steps2: the lambda
    with which their symbols are decided.
    """

    request: EncodeRequest
    prior: GridPrior
    y: Pyramid
    q_step_code: int
    lmbda_steps2: float

    @cached_property
    def coded(self) -> CodedLatents:
        """The symbols of the latents, decided and coded."""
        return self.coded_with_surcharge(0)

    def coded_with_surcharge(self, surcharge: float) -> CodedLatents:
        """Decide and code the symbols with a higher lambda.

        The result is not cached, because it takes hundreds of megabytes for a large image.
        """
        lmbda_steps2 = self.lmbda_steps2 + surcharge
        return code_latents(self.request, self.prior, self.y, self.q_step_code, lmbda_steps2)


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """Latents, and the symbols of the enhancement network's coefficients if it has any."""

    latents: RealLatents
    coefficients: Integers | None = None

    @cached_property
    def encoded(self) -> EncodedCandidate:
        """The candidate with its symbols coded."""
        return self._encoded(self.latents.coded)

    def with_surcharge(self, surcharge: float) -> EncodedCandidate:
        """Re-encode with a higher lambda."""
        return self._encoded(self.latents.coded_with_surcharge(surcharge))

    def _encoded(self, latents: CodedLatents) -> EncodedCandidate:
        return EncodedCandidate(
            request=self.latents.request, latents=latents, coefficients=self.coefficients
        )


class GridCandidates:
    """Makes the candidates of one request at any quantization step."""

    def __init__(self, request: EncodeRequest) -> None:
        self.request = request
        self._plain: dict[int, Candidate] = {}

    @cached_property
    def opponent(self) -> Float[Tensor, "1 3 h w"]:
        """Opponent colours around mid-grey; a grey picture has three equal colours."""
        samples = torch.from_numpy(self.request.picture.colours).to(self.request.device)
        return opponent_of(samples.permute(2, 0, 1).expand(3, -1, -1)[None])

    @cached_property
    def coefficients(self) -> Pyramid:
        """The wavelet coefficients of the image."""
        return wavelet.analyze(self.opponent)

    @cached_property
    def estimate(self) -> RateEstimate:
        return RateEstimate(coefficients=self.coefficients, pixels=self.request.pixels)

    @property
    def evaluations(self) -> int:
        """Number of network evaluations of the latent fit; 0 if latents are not fitted."""
        has_bands = bool(self.coefficients.bands)
        return evaluations_of(self.request.effort, self.request.pixels) if has_bands else 0

    @property
    def biases_iterations(self) -> int:
        """Number of iterations of the coefficients-only fit; 0 if there is none."""
        has_bands = bool(self.coefficients.bands)
        return biases_iterations(self.request.effort, self.request.pixels) if has_bands else 0

    def plain(self, q_step_code: int) -> Candidate:
        """Return the candidate without a fit; the last few are cached."""
        if q_step_code not in self._plain:
            if len(self._plain) == REMEMBERED:
                del self._plain[next(iter(self._plain))]
            q_step = grid_q_step_of_code(q_step_code)
            latents = RealLatents(
                request=self.request, prior=priors.plain(), q_step_code=q_step_code,
                y=self.coefficients.map(lambda t: t / q_step), lmbda_steps2=LMBDA_STEPS2,
            )  # fmt: skip
            self._plain[q_step_code] = Candidate(latents=latents)
        return self._plain[q_step_code]

    def forget_others(self, q_step_code: int) -> None:
        """Free the cached candidates of other steps, hundreds of megabytes for a large image."""
        for other in self._plain.keys() - {q_step_code}:
            del self._plain[other]

    def best(self, q_step_code: int) -> Candidate:
        """Return the candidate with the smallest loss of all that the effort tries.

        If fitting does not pay, this is the candidate without a fit.
        """
        choices = [self.plain(q_step_code)]
        if self.evaluations:
            choices += self.with_latents(q_step_code)
        if self.biases_iterations:
            choices.append(self.with_biases(_least(choices)))
        return _least(choices)

    def with_latents(
        self, q_step_code: int, settings: LatentFitSettings | None = None
    ) -> list[Candidate]:
        """Fit latents; return candidates with and without the coefficients fitted beside them.

        settings: settings of the fit; None for those of the effort.
        """
        fit_all = fit if self.request.pixels <= MOST_PIXELS_AT_ONCE else fit_tiles
        found = fit_all(
            self.latents_problem(q_step_code), settings or fit_settings(self.evaluations),
            seed=self.request.seed, progress=self.request.progress,
        )  # fmt: skip
        rounded = RealLatents(
            request=self.request, prior=priors.fitted(), y=found.y, q_step_code=q_step_code,
            lmbda_steps2=0,
        )  # fmt: skip
        return [
            Candidate(latents=rounded, coefficients=found.coefficients),
            Candidate(latents=rounded),
        ]

    def latents_problem(self, q_step_code: int) -> LatentProblem:
        """Return the problem that a fit of the latents solves."""
        y = self.plain(q_step_code).latents.y
        return LatentProblem(
            opponent=self.opponent,
            y=Pyramid(approximation=y.approximation.round(), bands=y.bands),
            colours=self.request.colours,
            q_step_code=q_step_code,
            lmbda_steps2=FIT_LMBDA_STEPS2,
            context=priors.fitted().float_context().requires_grad_(False).to(self.request.device),
            enhancement=self._network(priors.fitted()),
            coefficient_q_step=q_step_of_code(COEFFICIENT_Q_STEP_CODE),
        )

    def with_biases(self, candidate: Candidate) -> Candidate:
        """Return a candidate's latents with coefficients that are fitted to them."""
        latents = candidate.latents.coded
        problem = BiasProblem(
            opponent=self.opponent,
            colours=self.request.colours,
            symbols=latents.symbols,
            q_step=latents.q_step,
            lmbda_steps2=FIT_LMBDA_STEPS2,
            enhancement=self._network(candidate.latents.prior),
            coefficient_q_step=q_step_of_code(COEFFICIENT_Q_STEP_CODE),
            bits=8 * len(latents.stream),
        )
        found = fit_biases(
            problem,
            self.biases_iterations,
            seed=self.request.seed,
            start=candidate.coefficients,
            progress=None if self.evaluations else self.request.progress,
        )
        return replace(candidate, coefficients=found)

    def _network(self, prior: GridPrior) -> EnhancementNetwork:
        """Build an enhancement network with one coefficient for each bias."""
        network = grid_decode.build_network(prior.number, prior.biases_count, self.request.seed)
        return network.to(self.request.device)


def _least(choices: list[Candidate]) -> Candidate:
    """Return the candidate with the smallest loss."""
    if len(choices) == 1:
        return choices[0]
    return min(choices, key=lambda candidate: candidate.encoded.loss(FIT_LMBDA_STEPS2))
