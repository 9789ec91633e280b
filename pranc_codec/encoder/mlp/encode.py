"""Encoding in the mlp profile: plan -> fit -> quantize -> file that meets its target."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from pranc_codec import decoder
from pranc_codec.encoder import writer
from pranc_codec.encoder.mlp.fit import FitSettings, Fitted, Price, fit, learning_rate_of
from pranc_codec.encoder.mlp.plan import (
    BITS_PER_COEFFICIENT,
    Plan,
    bpp_of_lmbda,
    bpp_of_quality,
    lmbda_of_bpp,
    plan_for,
)
from pranc_codec.encoder.mlp.rate_control import shifted, smallest_shift
from pranc_codec.encoder.request import Job
from pranc_codec.encoder.target import Target
from pranc_codec.errors import PrancError, TargetUnreachable
from pranc_codec.image import to_samples
from pranc_codec.limits import DEFAULT_LIMITS
from pranc_codec.metrics import psnr_db
from pranc_codec.mlp import decode as mlp_decode
from pranc_codec.view import View

BPP_TOLERANCE: Final = 0.02
PSNR_TOLERANCE_DB: Final = 0.1
PSNR_SLACK_DB: Final = 0.5
DB_PER_OCTAVE: Final = 2.0
"""PSNR gained by a doubling of the rate, to guess a rate for a PSNR."""
PILOT_BPP: Final = 0.1
PILOT_COEFFICIENTS: Final = 300
PILOT_HANDICAP_DB: Final = 1.5
"""What the pilot's fewer steps cost."""
LARGEST_BPP: Final = 16.0
MOST_BITS_PER_COEFFICIENT: Final = 12
STEPS_AT_EFFORT_0: Final = 150


def encode(job: Job, target: Target) -> bytes:
    """A file of the mlp profile."""
    method = next(name for name, value in vars(target).items() if value is not None)
    return _METHODS[method](_Fitter(job=job), target)


def steps_of(effort: int) -> int:
    """Fitting steps of an effort."""
    return int(STEPS_AT_EFFORT_0 * 2**effort)


@dataclass(frozen=True, kw_only=True)
class _Fitter:
    """Plans and fits networks for one job."""

    job: Job

    @property
    def steps(self) -> int:
        return steps_of(self.job.effort)

    @property
    def pixels(self) -> int:
        return self.job.pixels

    def plan(self, bpp: float) -> Plan:
        return plan_for(bpp, self.pixels, self.job.picture.colours.shape[2], self.job.rule)

    def fit(self, plan: Plan, price: Price, steps: int | None = None) -> "_Result":
        """Fit the planned network to the picture."""
        network = mlp_decode.build_network(
            plan.shape, writer.parameters_of(plan, ()), self.job.seed, cache=True
        ).to(self.job.device)
        image = torch.from_numpy(self.job.picture.colours).to(self.job.device)
        settings = FitSettings(
            steps=self.steps if steps is None else steps,
            learning_rate=learning_rate_of(plan.shape.width),
        )
        fitted = fit(
            network, image, settings, price, seed=self.job.seed, progress=self.job.progress
        )
        return _Result(job=self.job, plan=plan, fitted=fitted)


@dataclass(frozen=True, kw_only=True)
class _Result:
    """A fitted network and the files that it can become."""

    job: Job
    plan: Plan
    fitted: Fitted

    def file(self, shift: int = 0) -> bytes:
        """The file with steps shifted by `rate_control.shifted`."""
        codes = shifted(self.fitted.q_step_codes, shift)
        symbols = writer.quantize_layers(self.fitted.coefficients, codes)
        data = writer.write_file(self.job.picture, self.plan, self.job.seed, symbols, codes)
        decoded = mlp_decode.read_symbols(*decoder.open_file(data, DEFAULT_LIMITS))
        if not all(map(np.array_equal, symbols, decoded)):
            raise PrancError("the file does not decode to its own symbols: please report this")
        return data

    def bpp(self, shift: int = 0) -> float:
        return 8 * len(self.file(shift)) / self.job.pixels

    def psnr_db(self, shift: int = 0) -> float:
        """PSNR of the decoded file on 8-bit colours."""
        colours = _decoded_colours(self.file(shift), self.job.device)
        wanted = to_samples(self.job.picture.colours, "uint8")
        return psnr_db(wanted, to_samples(colours.cpu().numpy(), "uint8"))


def _decoded_colours(data: bytes, device: torch.device) -> Tensor:
    header, sections = decoder.open_file(data, DEFAULT_LIMITS)
    size = (header.width, header.height)
    return mlp_decode.render(header, sections, View(size=size, region=(0, 0, *size)), device)


def _encode_quality(fitter: _Fitter, target: Target) -> bytes:
    assert target.quality is not None
    bpp = bpp_of_quality(target.quality)
    return fitter.fit(fitter.plan(bpp), Price(lmbda=lmbda_of_bpp(bpp))).file()


def _encode_lmbda(fitter: _Fitter, target: Target) -> bytes:
    assert target.lmbda is not None
    plan = fitter.plan(bpp_of_lmbda(target.lmbda))
    return fitter.fit(plan, Price(lmbda=target.lmbda)).file()


def _encode_bpp(fitter: _Fitter, target: Target) -> bytes:
    """The fit steers towards the rate; what is left is met by a small shift of the steps."""
    assert target.bpp is not None
    wanted_bytes = target.bpp * fitter.pixels / 8
    plan = fitter.plan(target.bpp)
    fixed = writer.fixed_bytes(fitter.job.picture, plan, fitter.job.seed)
    if wanted_bytes < fixed + plan.rule.depth:
        raise TargetUnreachable(
            f"{target.bpp} bpp of {fitter.pixels} pixels is {wanted_bytes:.0f} bytes, and {fixed} "
            "are needed for header, alpha and metadata alone: ask for more bpp, or drop metadata"
        )
    payload_bpp = 8 * (wanted_bytes - fixed) / fitter.pixels
    plan = fitter.plan(payload_bpp)
    if payload_bpp * fitter.pixels > MOST_BITS_PER_COEFFICIENT * plan.k:
        raise TargetUnreachable(
            f"{target.bpp} bpp of {fitter.pixels} pixels needs a larger network than the profile "
            f"has: ask for at most {MOST_BITS_PER_COEFFICIENT * plan.k / fitter.pixels:.3f} bpp"
        )
    result = fitter.fit(plan, Price(bpp=payload_bpp))
    shift = smallest_shift(lambda n: len(result.file(n)) <= wanted_bytes, plan.rule.depth + 1)
    reached = None if shift is None else result.bpp(shift)
    if shift is None or (
        abs(result.bpp(shift) / target.bpp - 1) > BPP_TOLERANCE
        and abs(len(result.file(shift)) - wanted_bytes) > 4
    ):
        raise TargetUnreachable(
            f"{target.bpp} bpp cannot be met within {BPP_TOLERANCE:.0%}: "
            f"the nearest file has {reached} bpp"
        )
    return result.file(shift)


def _encode_psnr(fitter: _Fitter, target: Target) -> bytes:
    """A short pilot guesses the rate; one refit at most; then the steps of the smallest network
    that is good enough are made as coarse as the target allows."""
    assert target.psnr is not None
    aim_db = target.psnr + PSNR_SLACK_DB / 2
    bpp = max(PILOT_BPP, BITS_PER_COEFFICIENT * PILOT_COEFFICIENTS / fitter.pixels)
    pilot = fitter.fit(fitter.plan(bpp), Price(bpp=bpp), max(1, fitter.steps // 4))
    reached_db = pilot.psnr_db() + PILOT_HANDICAP_DB
    found: dict[float, _Result] = {}
    for _ in range(2):
        octaves = (aim_db - reached_db) / DB_PER_OCTAVE
        bpp = min(LARGEST_BPP, bpp * 2.0 ** max(-5.0, min(5.0, octaves)))
        result = fitter.fit(fitter.plan(bpp), Price(bpp=bpp))
        reached_db = result.psnr_db()
        found[reached_db] = result
        if target.psnr <= reached_db <= target.psnr + PSNR_SLACK_DB:
            break
    enough = [db for db in found if db >= target.psnr]
    return _coarsen(found[min(enough) if enough else max(found)], target.psnr)


def _coarsen(result: _Result, wanted_db: float) -> bytes:
    """The smallest file of a fit that still has the wanted PSNR."""
    layers = result.plan.rule.depth + 1
    limit = smallest_shift(lambda n: result.psnr_db(n) < wanted_db, layers)
    shift = (limit if limit is not None else 96 * layers) - 1
    if result.psnr_db(shift) < wanted_db - PSNR_TOLERANCE_DB:
        raise TargetUnreachable(
            f"{wanted_db} dB cannot be met: {result.psnr_db():.2f} dB were reached at "
            f"{result.bpp():.3f} bpp. Try a higher effort, or a lower PSNR"
        )
    return result.file(shift)


_METHODS: Final[dict[str, Callable[[_Fitter, Target], bytes]]] = {
    "quality": _encode_quality,
    "lmbda": _encode_lmbda,
    "bpp": _encode_bpp,
    "psnr": _encode_psnr,
}
