"""Encoding in the grid profile: a step and a fit that meet the target."""

import math
from collections.abc import Callable
from typing import Final

from pranc_codec.encoder.grid import step_search
from pranc_codec.encoder.grid.candidates import PRICE, Source
from pranc_codec.encoder.grid.coded import Coded
from pranc_codec.encoder.request import Job
from pranc_codec.encoder.target import Target
from pranc_codec.errors import InvalidArgument, TargetUnreachable
from pranc_codec.grid import decode as grid_decode
from pranc_codec.limits import DEFAULT_LIMITS

BPP_TOLERANCE: Final = 0.02
PSNR_TOLERANCE_DB: Final = 0.1
CLOSE_OCTAVES: Final = 0.005
CLOSE_DB: Final = 0.03
"""Errors at which the search for a step ends."""
LOSSLESS_ERROR_DB: Final = -1.0
"""Of a file without loss: it is good enough, by not too much."""
REFIT_MARGIN: Final = 2
"""Codes that a second fit is made finer than seems needed."""
LOG2_STEP_OF_QUALITY: Final = (-1.0, -7.5)
"""At quality 1 and at 100; between them linear."""


def encode(job: Job, target: Target) -> bytes:
    """A file of the grid profile."""
    _check_size(job)
    method = next(name for name, value in vars(target).items() if value is not None)
    return _METHODS[method](Source(job=job), target)


def q_step_code_of_quality(quality: float) -> int:
    """64 log2(step) of a quality of 1 .. 100."""
    low, high = LOG2_STEP_OF_QUALITY
    return round(64 * (low + (high - low) * (quality - 1) / 99))


def q_step_code_of_lmbda(lmbda: float) -> int:
    """64 log2(step) at which `PRICE` is this lmbda."""
    return step_search.clipped(32 * math.log2(3 * lmbda / PRICE))


def _check_size(job: Job) -> None:
    """What decoders would refuse is refused before it is coded."""
    height, width = job.picture.colours.shape[:2]
    most = DEFAULT_LIMITS.max_macs // grid_decode.MACS_PER_PIXEL
    if job.pixels > most or max(height, width) > grid_decode.LARGEST_SIDE:
        raise InvalidArgument(
            f"{width}x{height} is more than the grid profile's {most} pixels, or its "
            f"{grid_decode.LARGEST_SIDE} a side: reduce it, or cut it into parts"
        )


def _encode_quality(source: Source, target: Target) -> bytes:
    assert target.quality is not None
    return source.best(q_step_code_of_quality(target.quality)).checked()


def _encode_lmbda(source: Source, target: Target) -> bytes:
    assert target.lmbda is not None
    return source.best(q_step_code_of_lmbda(target.lmbda)).checked()


def _encode_bpp(source: Source, target: Target) -> bytes:
    assert target.bpp is not None
    wanted = target.bpp
    found = _meet(
        source,
        lambda coded: math.log2(wanted / coded.bpp),
        lambda code: math.log2(wanted / source.estimates.bpp(code)),
        CLOSE_OCTAVES,
        math.inf,
        math.log2(1 + BPP_TOLERANCE),
    )
    spare_bytes = wanted * source.job.pixels / 8 - len(found.file)
    if abs(found.bpp / wanted - 1) > BPP_TOLERANCE and not abs(spare_bytes) <= 4:
        raise TargetUnreachable(
            f"{wanted} bpp cannot be met within {BPP_TOLERANCE:.0%}: the nearest file has "
            f"{found.bpp:.4f} bpp ({len(found.file)} bytes)"
        )
    return found.checked()


def _encode_psnr(source: Source, target: Target) -> bytes:
    assert target.psnr is not None
    wanted = target.psnr - PSNR_TOLERANCE_DB / 2

    def error(coded: Coded) -> float:
        return LOSSLESS_ERROR_DB if math.isinf(coded.psnr_db) else wanted - coded.psnr_db

    found = _meet(
        source, error, lambda code: wanted - source.estimates.psnr_db(code), CLOSE_DB,
        PSNR_TOLERANCE_DB / 2, PSNR_TOLERANCE_DB / 2,
    )  # fmt: skip
    if found.psnr_db < target.psnr - PSNR_TOLERANCE_DB:
        raise TargetUnreachable(
            f"{target.psnr} dB cannot be met: {found.psnr_db:.2f} dB were reached at "
            f"{found.bpp:.3f} bpp. Try a lower PSNR"
        )
    return found.checked()


def _meet(
    source: Source, error: Callable[[Coded], float], estimate: Callable[[int], float],
    close: float, slack: float, tolerance: float,
) -> Coded:  # fmt: skip
    """The step is searched without fitting; the fit happens there, and once more at a finer step
    if it takes too much away; what is too good after it pays a price. Where neither fit is within
    `tolerance`, the first file goes on without one."""
    first = step_search.nearest_step(lambda c: error(source.coded(c)), estimate, close, slack)
    if not source.offsets_iterations:
        return source.coded(first)
    source.forget_others(first)
    code = first
    for _ in range(2):
        fitted = source.fitted(code)
        left = error(fitted.coded)
        if left <= 0:
            break
        code = step_search.clipped(
            step_search.next_step(estimate, left - estimate(code)) - REFIT_MARGIN
        )
    if left > tolerance >= error(source.coded(first)):
        fitted = source.plain(first)
    return step_search.at_largest_price(fitted.priced, error, fitted.coded)


_METHODS: Final[dict[str, Callable[[Source, Target], bytes]]] = {
    "quality": _encode_quality,
    "lmbda": _encode_lmbda,
    "bpp": _encode_bpp,
    "psnr": _encode_psnr,
}
