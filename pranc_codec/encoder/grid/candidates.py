"""A picture in the grid profile: wavelet coefficients, fits of them, and the files they become.

The price of a bit is lmbda in units of the step: with MSE over three colours,
lmbda = price * step^2 / 3. `grid_choice` decides symbols by it, `grid_fit` fits latents by it,
`grid_offsets` the residual network's coefficients.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.encoder.grid.coded import COEFFICIENT_Q_STEP_CODE, Coded, Latents, code_latents
from pranc_codec.encoder.grid.fit_biases import OffsetsProblem, fit_offsets
from pranc_codec.encoder.grid.fit_latents import FitProblem, FitSettings, fit
from pranc_codec.encoder.grid.rate_estimate import Estimates
from pranc_codec.encoder.grid.tiles import fit_tiles
from pranc_codec.encoder.request import Job
from pranc_codec.entropy import range_coder
from pranc_codec.format.parameters import q_step_of_code
from pranc_codec.grid import decode as grid_decode, prior as priors, wavelet
from pranc_codec.grid.enhancement import SynthesisNetwork
from pranc_codec.grid.prior import GridPrior
from pranc_codec.grid.wavelet import Pyramid

PRICE: Final = 0.1
"""Without a fit."""
FIT_PRICE: Final = 0.115
FIRST_FITTING_EFFORT: Final = 3
"""Below it only the residual network's coefficients are fitted."""
LOOKS: Final = (4, 8, 20, 60, 192)
"""At the networks, of a fit of latents at that effort, at the next one, ..."""
LEARNING_RATE: Final = 0.02
LOOKS_OF_RATE: Final = 8
"""Of latents, in a fit of that many looks."""
OFFSETS_ITERATIONS: Final = 80
"""Of the coefficients alone, at effort 1; twice as many at the next. Also after latents are fitted,
for the symbols that they became."""
MOST_PIXELS_AT_ONCE: Final = 2 << 20
"""Latents of larger images are fitted in tiles: a fit takes two gigabytes a megapixel."""
LARGE_PIXELS: Final = 3 << 20
"""Latents of larger images are fitted only from this effort on:"""
FIRST_FITTING_EFFORT_IF_LARGE: Final = 5
"""the default takes up to a minute a megapixel, which is for them too much to ask."""


def looks_of(effort: int, pixels: int) -> int:
    """At the networks, of the fit of latents; 0 for none."""
    large = pixels > LARGE_PIXELS
    if effort < (FIRST_FITTING_EFFORT_IF_LARGE if large else FIRST_FITTING_EFFORT):
        return 0
    return LOOKS[effort - FIRST_FITTING_EFFORT]


def fit_settings(looks: int) -> FitSettings:
    """Of latents. Longer fits move them faster: of the rates 0.01, 0.02, 0.035 and 0.06, 64 looks
    gained most on photographs with 0.035 (`benchmarks/ablation_fit.py`)."""
    return FitSettings(looks=looks, learning_rate=LEARNING_RATE * (looks / LOOKS_OF_RATE) ** 0.25)


def offsets_iterations(effort: int, pixels: int) -> int:
    """Iterations of the fit of coefficients alone; after a fit of latents it is a short one."""
    if effort == 0:
        return 0
    return OFFSETS_ITERATIONS << (0 if looks_of(effort, pixels) else effort - 1)


@dataclass(frozen=True, kw_only=True)
class Source:
    """The picture as wavelet coefficients."""

    job: Job
    _tried: "dict[int, Fitted]" = field(default_factory=dict)

    @cached_property
    def opponent(self) -> Float[Tensor, "1 3 h w"]:
        """Opponent colours around mid-grey; a grey picture has three equal colours."""
        colours = torch.from_numpy(self.job.picture.colours).to(self.job.device)
        rgb = colours.permute(2, 0, 1).expand(3, -1, -1)[None]
        return wavelet.to_opponent(rgb - grid_decode.MID_GREY)

    @cached_property
    def coefficients(self) -> Pyramid:
        return wavelet.analyze(self.opponent)

    @cached_property
    def estimates(self) -> Estimates:
        return Estimates(coefficients=self.coefficients, pixels=self.job.pixels)

    @property
    def looks(self) -> int:
        return looks_of(self.job.effort, self.job.pixels) if self._has_bands else 0

    @property
    def offsets_iterations(self) -> int:
        return offsets_iterations(self.job.effort, self.job.pixels) if self._has_bands else 0

    @property
    def _has_bands(self) -> bool:
        return bool(self.coefficients.bands)

    def best(self, q_step_code: int) -> Coded:
        """What the effort gives at a step."""
        return self.fitted(q_step_code).coded

    def coded(self, q_step_code: int) -> Coded:
        """Symbols and bytes without fitting."""
        return self.plain(q_step_code).coded

    def plain(self, q_step_code: int) -> "Fitted":
        """The wavelet coefficients as they are; the last two steps asked for are remembered."""
        if q_step_code not in self._tried:
            if len(self._tried) == 2:
                del self._tried[next(iter(self._tried))]
            step = 2.0 ** (q_step_code / 64)
            y = self.coefficients.map(lambda t: t / step)
            self._tried[q_step_code] = Fitted(
                job=self.job, prior=priors.plain(), y=y, q_step_code=q_step_code, price=PRICE
            )
        return self._tried[q_step_code]

    def forget_others(self, q_step_code: int) -> None:
        """What was tried at other steps: of a large image hundreds of megabytes."""
        for other in self._tried.keys() - {q_step_code}:
            del self._tried[other]

    def fitted(self, q_step_code: int) -> "Fitted":
        """What loses least of all that the effort tries; the wavelet coefficients as they are,
        where fitting does not pay."""
        choices = [self.plain(q_step_code)]
        if self.looks:
            choices += self.with_latents(q_step_code)
        if self.offsets_iterations:
            choices.append(self.with_offsets(_least(choices)))
        return _least(choices)

    def with_latents(self, q_step_code: int, settings: FitSettings | None = None) -> "list[Fitted]":
        """Fitted latents, with the coefficients that were fitted beside them and without. settings:
        others than the effort's."""
        fit_latents = fit if self.job.pixels <= MOST_PIXELS_AT_ONCE else fit_tiles
        found = fit_latents(
            self.latents_problem(q_step_code), settings or fit_settings(self.looks),
            seed=self.job.seed, progress=self.job.progress,
        )  # fmt: skip
        rounded = Fitted(
            job=self.job, prior=priors.fitted(), y=found.y, q_step_code=q_step_code, price=0
        )
        return [replace(rounded, coefficients=found.coefficients), rounded]

    def latents_problem(self, q_step_code: int) -> FitProblem:
        """What a fit of latents minimizes."""
        y = self.plain(q_step_code).y
        return FitProblem(
            opponent=self.opponent,
            y=Pyramid(low=y.low.round(), bands=y.bands),
            colours=self.job.colours,
            q_step_code=q_step_code,
            price=FIT_PRICE,
            context=priors.fitted().float_context().requires_grad_(False).to(self.job.device),
            synthesis=self._network(priors.fitted()),
            coefficient_step=q_step_of_code(COEFFICIENT_Q_STEP_CODE),
        )

    def with_offsets(self, fitted: "Fitted") -> "Fitted":
        """The same latents with coefficients that are fitted to them."""
        latents = fitted.latents()
        problem = OffsetsProblem(
            opponent=self.opponent,
            colours=self.job.colours,
            symbols=latents.symbols,
            step=latents.step,
            price=FIT_PRICE,
            synthesis=self._network(fitted.prior),
            coefficient_step=q_step_of_code(COEFFICIENT_Q_STEP_CODE),
            bits=8 * len(latents.stream),
        )
        found = fit_offsets(
            problem,
            self.offsets_iterations,
            seed=self.job.seed,
            start=fitted.coefficients,
            progress=None if self.looks else self.job.progress,
        )
        return replace(fitted, coefficients=found)

    def _network(self, prior: GridPrior) -> SynthesisNetwork:
        network = grid_decode.build_network(
            prior.number, grid_decode.offsets_count(), self.job.seed
        )
        return network.to(self.job.device)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """Latents in steps, the prior and the price that their symbols are chosen at, and symbols of
    the residual network's coefficients."""

    job: Job
    prior: GridPrior
    y: Pyramid
    q_step_code: int
    price: float
    coefficients: range_coder.Integers | None = None
    _latents: list[Latents] = field(default_factory=list)
    """None or one; shared by all that `replace` makes of this one."""

    def latents(self) -> Latents:
        """Chosen symbols."""
        if not self._latents:
            self._latents.append(self._code(self.price))
        return self._latents[0]

    @cached_property
    def coded(self) -> Coded:
        """The same with the coefficients."""
        return self._coded_with(self.latents())

    def priced(self, surcharge: float) -> Coded:
        """With a surcharge on the price, which takes more away. Not remembered: of a large image
        it takes hundreds of megabytes."""
        return self._coded_with(self._code(self.price + surcharge))

    def _code(self, price: float) -> Latents:
        return code_latents(self.job, self.prior, self.y, self.q_step_code, price)

    def _coded_with(self, latents: Latents) -> Coded:
        return Coded(job=self.job, latents=latents, coefficients=self.coefficients)


def _least(choices: list[Fitted]) -> Fitted:
    if len(choices) == 1:
        return choices[0]
    return min(choices, key=lambda fitted: fitted.coded.loss(FIT_PRICE))
