"""Encode in the grid profile: find a quantization step and a fit that meet the target."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pranc_codec.encoder.grid import step_search
from pranc_codec.encoder.grid.candidates import LMBDA_STEPS2, GridCandidates
from pranc_codec.encoder.grid.coded import EncodedCandidate
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.encoder.target import (
    BPP_TOLERANCE,
    PSNR_TOLERANCE_DB,
    BppTarget,
    LmbdaTarget,
    PsnrTarget,
    QualityTarget,
    Target,
)
from pranc_codec.errors import InvalidArgument, TargetUnreachable
from pranc_codec.grid import decode as grid_decode
from pranc_codec.limits import DEFAULT_LIMITS

CLOSE_OCTAVES: Final = 0.005
CLOSE_DB: Final = 0.03
"""The search for a step ends at an error as small as this."""
LOSSLESS_ERROR_DB: Final = -1.0
"""Error assigned to a lossless file, kept finite for the search."""
REFIT_MARGIN: Final = 2
"""How many step codes finer than estimated a second fit is made, for safety."""
LOG2_Q_STEP_OF_QUALITY: Final = (-1.0, -7.5)
"""log2(q_step) at quality 1 and at quality 100; it is linear between them."""


def encode(request: EncodeRequest, target: Target) -> bytes:
    """Encode an image in the grid profile; see `profiles.EncoderProfile`."""
    _check_size(request)
    candidates = GridCandidates(request)
    match target:
        case QualityTarget(quality=quality):
            return candidates.best(q_step_code_of_quality(quality)).encoded.checked()
        case LmbdaTarget(lmbda=lmbda):
            return candidates.best(q_step_code_of_lmbda(lmbda)).encoded.checked()
        case BppTarget():
            return _encode_bpp(candidates, target)
        case PsnrTarget():
            return _encode_psnr(candidates, target)


def q_step_code_of_quality(quality: float) -> int:
    """Return the step code, 64 log2(q_step), of a quality of 1 .. 100."""
    coarsest, finest = LOG2_Q_STEP_OF_QUALITY
    return round(64 * (coarsest + (finest - coarsest) * (quality - 1) / 99))


def q_step_code_of_lmbda(lmbda: float) -> int:
    """Return the code of the quantization step at which `LMBDA_STEPS2` equals this lambda."""
    return step_search.clipped(32 * math.log2(3 * lmbda / LMBDA_STEPS2))


def _check_size(request: EncodeRequest) -> None:
    """Raise InvalidArgument for an image that decoders would refuse, before it is coded."""
    height, width = request.size
    most = DEFAULT_LIMITS.max_macs // grid_decode.MACS_PER_PIXEL
    if request.pixels > most or max(height, width) > grid_decode.LARGEST_SIDE:
        raise InvalidArgument(
            f"an image of {width}x{height} is too large for the grid profile, which allows {most} "
            f"pixels and {grid_decode.LARGEST_SIDE} a side: reduce it, or cut it into parts"
        )


@dataclass(frozen=True, kw_only=True)
class _Search:
    """How far a file is from its target. Errors rise with coarser steps and are 0 at the target.

    error: maps a file to its error. estimate: estimates the error at a step code; it may be off by
    a difference that changes slowly with the step. close: the search for a step ends at an error as
    small as this. slack: largest error that the file without a fit should have. tolerance: largest
    error that the result should have.
    """

    error: Callable[[EncodedCandidate], float]
    estimate: Callable[[int], float]
    close: float
    slack: float
    tolerance: float


def _encode_bpp(candidates: GridCandidates, target: BppTarget) -> bytes:
    search = _Search(
        error=lambda encoded: math.log2(target.bpp / encoded.bpp),
        estimate=lambda code: math.log2(target.bpp / candidates.estimate.bpp(code)),
        close=CLOSE_OCTAVES,
        slack=math.inf,
        tolerance=math.log2(1 + BPP_TOLERANCE),
    )
    found = _meet(candidates, search)
    if not target.is_met(len(found.file), candidates.request.pixels):
        raise target.unreachable(len(found.file), candidates.request.pixels)
    return found.checked()


def _encode_psnr(candidates: GridCandidates, target: PsnrTarget) -> bytes:
    wanted = target.psnr_db - PSNR_TOLERANCE_DB / 2

    def error(encoded: EncodedCandidate) -> float:
        return LOSSLESS_ERROR_DB if math.isinf(encoded.psnr_db) else wanted - encoded.psnr_db

    search = _Search(
        error=error,
        estimate=lambda code: wanted - candidates.estimate.psnr_db(code),
        close=CLOSE_DB,
        slack=PSNR_TOLERANCE_DB / 2,
        tolerance=PSNR_TOLERANCE_DB / 2,
    )
    found = _meet(candidates, search)
    if found.psnr_db < target.psnr_db - PSNR_TOLERANCE_DB:
        raise TargetUnreachable(
            f"{target.psnr_db} dB cannot be met: {found.psnr_db:.2f} dB were reached at "
            f"{found.bpp:.3f} bpp. Try a lower PSNR"
        )
    return found.checked()


def _meet(candidates: GridCandidates, search: _Search) -> EncodedCandidate:
    """Find a file near the target.

    The step is searched without fitting. The fit is done at that step, and once more at a finer
    step if it removed too much. Surplus quality is then traded for rate. If neither fit is within
    the tolerance but the file without a fit is, that file is used.
    """
    error, estimate = search.error, search.estimate
    first = step_search.nearest_step(
        lambda code: error(candidates.plain(code).encoded), estimate, search.close, search.slack
    )
    if not candidates.biases_iterations:
        return candidates.plain(first).encoded
    candidates.forget_others(first)
    code = first
    for _ in range(2):
        candidate = candidates.best(code)
        left = error(candidate.encoded)
        if left <= 0:
            break
        code = step_search.clipped(
            step_search.next_step(estimate, left - estimate(code)) - REFIT_MARGIN
        )
    if left > search.tolerance >= error(candidates.plain(first).encoded):
        candidate = candidates.plain(first)
    return step_search.at_largest_surcharge(candidate.with_surcharge, error, candidate.encoded)
