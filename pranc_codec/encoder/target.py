"""What the caller wants: exactly one of quality, lmbda, bpp and psnr, and an effort."""

import math
from dataclasses import dataclass
from typing import Final

from pranc_codec.errors import InvalidArgument, TargetUnreachable

DEFAULT_QUALITY: Final = 50
EFFORTS: Final = {"fast": 2, "default": 4, "max": 7}
LARGEST_EFFORT: Final = 7
BPP_TOLERANCE: Final = 0.02
"""A target bpp is met within this part of it, or within `BYTES_TOLERANCE`."""
BYTES_TOLERANCE: Final = 4
PSNR_TOLERANCE_DB: Final = 0.1
"""A target PSNR may be missed by this."""


@dataclass(frozen=True, kw_only=True)
class QualityTarget:
    """quality: 1 .. 100; each profile maps it to a rate or a quantization step."""

    quality: float


@dataclass(frozen=True, kw_only=True)
class LmbdaTarget:
    """lmbda: the loss is MSE of samples in [0, 1] + lmbda * bpp."""

    lmbda: float


@dataclass(frozen=True, kw_only=True)
class BppTarget:
    """bpp: of the whole file."""

    bpp: float

    def is_met(self, file_bytes: int, pixels: int) -> bool:
        """Whether a file of this size is close enough to the target."""
        wanted_bytes = self.bpp * pixels / 8
        within = abs(file_bytes / wanted_bytes - 1) <= BPP_TOLERANCE
        return within or abs(file_bytes - wanted_bytes) <= BYTES_TOLERANCE

    def unreachable(self, nearest_bytes: int | None, pixels: int) -> TargetUnreachable:
        """The error for a target that no file meets. nearest_bytes: of the nearest file, if any."""
        nearest = "no file is small enough"
        if nearest_bytes is not None:
            nearest_bpp = 8 * nearest_bytes / pixels
            nearest = f"the nearest file has {nearest_bpp:.4f} bpp ({nearest_bytes} bytes)"
        return TargetUnreachable(
            f"{self.bpp} bpp cannot be met within {BPP_TOLERANCE:.0%}: {nearest}"
        )


@dataclass(frozen=True, kw_only=True)
class PsnrTarget:
    """psnr_db: on 8-bit samples of the decoded file."""

    psnr_db: float


Target = QualityTarget | LmbdaTarget | BppTarget | PsnrTarget


def make_target(
    quality: float | None, lmbda: float | None, bpp: float | None, psnr: float | None
) -> Target:
    """The one target that is given; without any, the default quality.

    Raises InvalidArgument for more than one target and for values that make no sense.
    """
    given = {
        name: value
        for name, value in (("quality", quality), ("lmbda", lmbda), ("bpp", bpp), ("psnr", psnr))
        if value is not None
    }
    if len(given) > 1:
        raise InvalidArgument(f"{' and '.join(given)} contradict each other: give one of them")
    for name, value in given.items():
        if not (math.isfinite(value) and value > 0):
            raise InvalidArgument(f"{name} is {value}, not a positive number")
    if lmbda is not None:
        return LmbdaTarget(lmbda=lmbda)
    if bpp is not None:
        return BppTarget(bpp=bpp)
    if psnr is not None:
        return PsnrTarget(psnr_db=psnr)
    if quality is not None and not 1 <= quality <= 100:
        raise InvalidArgument(f"quality {quality} is not in 1 .. 100")
    return QualityTarget(quality=DEFAULT_QUALITY if quality is None else quality)


def level_of_effort(effort: int | str) -> int:
    """An effort as a number 0 .. 7; names are "fast" (2), "default" (4) and "max" (7)."""
    if isinstance(effort, str):
        if effort not in EFFORTS:
            raise InvalidArgument(f"effort {effort!r} is unknown: use 0 .. 7, {', '.join(EFFORTS)}")
        effort = EFFORTS[effort]
    if not isinstance(effort, int) or not 0 <= effort <= LARGEST_EFFORT:
        raise InvalidArgument(f"effort {effort} is not one of the integers 0 .. {LARGEST_EFFORT}")
    return effort
