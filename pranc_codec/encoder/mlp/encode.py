"""Encode in the mlp profile: plan -> fit -> quantize -> a file that meets its target."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from pranc_codec import decoder
from pranc_codec.encoder.mlp.fit import FittedCoefficients, fit, learning_rate_of
from pranc_codec.encoder.mlp.fit_state import MlpFitSettings
from pranc_codec.encoder.mlp.lmbda_control import LmbdaControl
from pranc_codec.encoder.mlp.network_file import (
    fixed_bytes,
    parameters_of,
    quantize_layers,
    write_network,
)
from pranc_codec.encoder.mlp.plan import (
    BITS_PER_COEFFICIENT,
    Plan,
    bpp_of_lmbda,
    bpp_of_quality,
    lmbda_of_bpp,
    plan_for,
)
from pranc_codec.encoder.mlp.rate_control import COARSEST_SHIFT, shifted, smallest_shift
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.encoder.target import (
    PSNR_TOLERANCE_DB,
    BppTarget,
    LmbdaTarget,
    PsnrTarget,
    QualityTarget,
    Target,
)
from pranc_codec.encoder.writer import check_own_symbols
from pranc_codec.errors import TargetUnreachable
from pranc_codec.image import to_samples
from pranc_codec.limits import DEFAULT_LIMITS
from pranc_codec.metrics import psnr_db
from pranc_codec.mlp import decode as mlp_decode
from pranc_codec.view import View

PSNR_SLACK_DB: Final = 0.5
"""A fit is not repeated if it is better than the target by at most this."""
DB_PER_OCTAVE: Final = 2.0
"""Assumed gain in PSNR when the rate doubles, to guess the rate for a PSNR."""
PILOT_BPP: Final = 0.1
PILOT_COEFFICIENTS: Final = 300
PILOT_HANDICAP_DB: Final = 1.5
"""PSNR that the pilot fit loses because it is shorter."""
LARGEST_BPP: Final = 16.0
MOST_BITS_PER_COEFFICIENT: Final = 12
ITERATIONS_AT_EFFORT_0: Final = 150


def encode(request: EncodeRequest, target: Target) -> bytes:
    """Encode an image in the mlp profile; see `profiles.EncoderProfile`."""
    fitter = NetworkFitter(request=request)
    match target:
        case QualityTarget(quality=quality):
            bpp = bpp_of_quality(quality)
            return fitter.fit(fitter.plan(bpp), LmbdaControl(lmbda=lmbda_of_bpp(bpp))).file()
        case LmbdaTarget(lmbda=lmbda):
            return fitter.fit(fitter.plan(bpp_of_lmbda(lmbda)), LmbdaControl(lmbda=lmbda)).file()
        case BppTarget():
            return _encode_bpp(fitter, target)
        case PsnrTarget(psnr_db=wanted_db):
            return _encode_psnr(fitter, wanted_db)


def iterations_of(effort: int) -> int:
    """Return the number of iterations of a fit at an effort."""
    return int(ITERATIONS_AT_EFFORT_0 * 2**effort)


@dataclass(frozen=True, kw_only=True)
class NetworkFitter:
    """Plans and fits networks for one request."""

    request: EncodeRequest

    @property
    def iterations(self) -> int:
        return iterations_of(self.request.effort)

    @property
    def pixels(self) -> int:
        return self.request.pixels

    def plan(self, bpp: float) -> Plan:
        """Plan the network for a rate."""
        return plan_for(bpp, self.pixels, self.request.colours, self.request.rule)

    def fit(
        self, plan: Plan, control: LmbdaControl, iterations: int | None = None
    ) -> "FittedNetwork":
        """Fit the planned network to the picture. iterations: None for those of the effort."""
        network = mlp_decode.build_network(
            plan.shape, parameters_of(plan, ()), self.request.seed, cache=True
        ).to(self.request.device)
        image = torch.from_numpy(self.request.picture.colours).to(self.request.device)
        settings = MlpFitSettings(
            iterations=self.iterations if iterations is None else iterations,
            learning_rate=learning_rate_of(plan.shape.width),
        )
        fitted = fit(
            network, image, settings, control,
            seed=self.request.seed, progress=self.request.progress,
        )  # fmt: skip
        return FittedNetwork(request=self.request, plan=plan, fitted=fitted)


@dataclass(frozen=True, kw_only=True)
class FittedNetwork:
    """A fitted network, and the files that it can become."""

    request: EncodeRequest
    plan: Plan
    fitted: FittedCoefficients

    def file(self, shift: int = 0) -> bytes:
        """Write the file, with quantization steps shifted by `rate_control.shifted`."""
        codes = shifted(self.fitted.q_step_codes, shift)
        symbols = quantize_layers(self.fitted.coefficients, codes)
        data = write_network(self.request.picture, self.plan, self.request.seed, symbols, codes)
        decoded = mlp_decode.read_symbols(*decoder.open_file(data, DEFAULT_LIMITS))
        check_own_symbols(all(map(np.array_equal, symbols, decoded)))
        return data

    def bpp(self, shift: int = 0) -> float:
        """Return the bits per pixel of the whole file."""
        return 8 * len(self.file(shift)) / self.request.pixels

    def psnr_db(self, shift: int = 0) -> float:
        """Return the PSNR of the decoded file on 8-bit samples."""
        colours = _decoded_colours(self.file(shift), self.request.device)
        wanted = to_samples(self.request.picture.colours, "uint8")
        return psnr_db(wanted, to_samples(colours.cpu().numpy(), "uint8"))


def _decoded_colours(data: bytes, device: torch.device) -> Tensor:
    header, sections = decoder.open_file(data, DEFAULT_LIMITS)
    size = (header.width, header.height)
    return mlp_decode.render(header, sections, View(size=size, region=(0, 0, *size)), device)


def _encode_bpp(fitter: NetworkFitter, target: BppTarget) -> bytes:
    """Meet a rate: the fit steers towards it, then a small shift of the steps meets it exactly."""
    wanted_bytes = target.bpp * fitter.pixels / 8
    plan = fitter.plan(target.bpp)
    fixed = fixed_bytes(fitter.request.picture, plan, fitter.request.seed)
    if wanted_bytes < fixed + plan.rule.depth:
        raise TargetUnreachable(
            f"{target.bpp} bpp of {fitter.pixels} pixels are {wanted_bytes:.0f} bytes, but {fixed} "
            "are needed for header, alpha and metadata alone: ask for more bpp, or drop metadata"
        )
    payload_bpp = 8 * (wanted_bytes - fixed) / fitter.pixels
    plan = fitter.plan(payload_bpp)
    if payload_bpp * fitter.pixels > MOST_BITS_PER_COEFFICIENT * plan.k:
        raise TargetUnreachable(
            f"{target.bpp} bpp for {fitter.pixels} pixels need a larger network than the profile "
            f"allows: ask for at most {MOST_BITS_PER_COEFFICIENT * plan.k / fitter.pixels:.3f} bpp"
        )
    result = fitter.fit(plan, LmbdaControl(bpp=payload_bpp))
    shift = smallest_shift(lambda n: len(result.file(n)) <= wanted_bytes, plan.rule.depth + 1)
    if shift is None:
        raise target.unreachable(None, fitter.pixels)
    file = result.file(shift)
    if not target.is_met(len(file), fitter.pixels):
        raise target.unreachable(len(file), fitter.pixels)
    return file


def _encode_psnr(fitter: NetworkFitter, wanted_db: float) -> bytes:
    """Meet a PSNR in dB.

    The rate is guessed from a short pilot fit, and the fit is repeated at most once. Of the fits
    that reach the PSNR, the one with the lowest PSNR is taken, and its quantization steps are made
    as coarse as the target allows.
    """
    aim_db = wanted_db + PSNR_SLACK_DB / 2
    bpp = max(PILOT_BPP, BITS_PER_COEFFICIENT * PILOT_COEFFICIENTS / fitter.pixels)
    pilot = fitter.fit(fitter.plan(bpp), LmbdaControl(bpp=bpp), max(1, fitter.iterations // 4))
    reached_db = pilot.psnr_db() + PILOT_HANDICAP_DB
    found: dict[float, FittedNetwork] = {}
    for _ in range(2):
        octaves = (aim_db - reached_db) / DB_PER_OCTAVE
        bpp = min(LARGEST_BPP, bpp * 2.0 ** max(-5.0, min(5.0, octaves)))
        result = fitter.fit(fitter.plan(bpp), LmbdaControl(bpp=bpp))
        reached_db = result.psnr_db()
        found[reached_db] = result
        if wanted_db <= reached_db <= wanted_db + PSNR_SLACK_DB:
            break
    enough = [db for db in found if db >= wanted_db]
    return _coarsened(found[min(enough) if enough else max(found)], wanted_db)


def _coarsened(result: FittedNetwork, wanted_db: float) -> bytes:
    """Return the smallest file of a fitted network that still has the wanted PSNR."""
    layers = result.plan.rule.depth + 1
    limit = smallest_shift(lambda n: result.psnr_db(n) < wanted_db, layers)
    shift = (limit if limit is not None else COARSEST_SHIFT * layers) - 1
    if result.psnr_db(shift) < wanted_db - PSNR_TOLERANCE_DB:
        raise TargetUnreachable(
            f"{wanted_db} dB cannot be met: {result.psnr_db():.2f} dB were reached at "
            f"{result.bpp():.3f} bpp. Try a higher effort, or a lower PSNR"
        )
    return result.file(shift)
