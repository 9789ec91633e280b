"""The target of an encoding, which is one of quality, lmbda, bpp and psnr, and the effort."""

import math
from dataclasses import dataclass
from typing import Final

from pranc_codec.errors import InvalidArgument, TargetUnreachable

DEFAULT_QUALITY: Final = 50
EFFORTS: Final = {"fast": 2, "default": 4, "max": 7}
LARGEST_EFFORT: Final = 7
BPP_TOLERANCE: Final = 0.02
"""Largest relative error of a target bpp, unless the error is within `BYTES_TOLERANCE`."""
BYTES_TOLERANCE: Final = 4
PSNR_TOLERANCE_DB: Final = 0.1
"""How far the result may be below a target PSNR."""


@dataclass(frozen=True, kw_only=True)
class QualityTarget:
    """A target quality of 1 .. 100, which each profile maps to a rate or a quantization step."""

    quality: float


@dataclass(frozen=True, kw_only=True)
class LmbdaTarget:
    """A target lambda: the loss is MSE of samples in [0, 1] + lmbda * bpp."""

    lmbda: float


@dataclass(frozen=True, kw_only=True)
class BppTarget:
    """A target rate in bits per pixel of the whole file."""

    bpp: float

    def is_met(self, file_bytes: int, pixels: int) -> bool:
        """Return whether a file of this size is close enough to the target."""
        wanted_bytes = self.bpp * pixels / 8
        within = abs(file_bytes / wanted_bytes - 1) <= BPP_TOLERANCE
        return within or abs(file_bytes - wanted_bytes) <= BYTES_TOLERANCE

    def unreachable(self, nearest_bytes: int | None, pixels: int) -> TargetUnreachable:
        """Return the error for a target that no file meets.

        nearest_bytes: size of the nearest file, or None if no file is small enough.
        """
        nearest = "no file is small enough"
        if nearest_bytes is not None:
            nearest_bpp = 8 * nearest_bytes / pixels
            nearest = f"the nearest file has {nearest_bpp:.4f} bpp ({nearest_bytes} bytes)"
        return TargetUnreachable(
            f"{self.bpp} bpp cannot be met within {BPP_TOLERANCE:.0%}: {nearest}"
        )


@dataclass(frozen=True, kw_only=True)
class PsnrTarget:
    """A target PSNR in dB, on 8-bit samples of the decoded file."""

    psnr_db: float


Target = QualityTarget | LmbdaTarget | BppTarget | PsnrTarget


def make_target(
    quality: float | None, lmbda: float | None, bpp: float | None, psnr: float | None
) -> Target:
    """Return the target that is given, or the default quality if none is.

    Raises InvalidArgument for more than one target and for values out of range.
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
    """Return an effort as a number 0 .. 7.

    Its names are "fast" (2), "default" (4) and "max" (7). Raises InvalidArgument for others.
    """
    if isinstance(effort, str):
        if effort not in EFFORTS:
            raise InvalidArgument(f"effort {effort!r} is unknown: use 0 .. 7, {', '.join(EFFORTS)}")
        effort = EFFORTS[effort]
    if not isinstance(effort, int) or not 0 <= effort <= LARGEST_EFFORT:
        raise InvalidArgument(f"effort {effort} is not one of the integers 0 .. {LARGEST_EFFORT}")
    return effort
