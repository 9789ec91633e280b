"""What the caller wants: exactly one of quality, lmbda, bpp and psnr, and an effort."""

import math
from dataclasses import dataclass
from typing import Final

from pranc_codec.errors import InvalidArgument

DEFAULT_QUALITY: Final = 50
EFFORTS: Final = {"fast": 2, "default": 4, "max": 7}
LARGEST_EFFORT: Final = 7
PROFILES: Final = ("grid", "mlp")


@dataclass(frozen=True, kw_only=True)
class Target:
    """One of these is set. psnr in dB on 8-bit samples, bpp of the whole file."""

    quality: float | None = None
    lmbda: float | None = None
    bpp: float | None = None
    psnr: float | None = None


def make_target(
    quality: float | None, lmbda: float | None, bpp: float | None, psnr: float | None
) -> Target:
    """Check that at most one is given (none: the default quality) and that it makes sense."""
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
    if quality is not None and not 1 <= quality <= 100:
        raise InvalidArgument(f"quality {quality} is not in 1 .. 100")
    return Target(**given) if given else Target(quality=DEFAULT_QUALITY)


def check_profile(profile: str) -> None:
    """Refuse a profile that there is not."""
    if profile not in PROFILES:
        raise InvalidArgument(f"profile {profile!r} is unknown: use {' or '.join(PROFILES)}")


def level_of_effort(effort: int | str) -> int:
    """0 .. 7, or "fast" (2), "default" (4), "max" (7)."""
    if isinstance(effort, str):
        if effort not in EFFORTS:
            raise InvalidArgument(f"effort {effort!r} is unknown: use 0 .. 7, {', '.join(EFFORTS)}")
        effort = EFFORTS[effort]
    if not isinstance(effort, int) or not 0 <= effort <= LARGEST_EFFORT:
        raise InvalidArgument(f"effort {effort} is not one of the integers 0 .. {LARGEST_EFFORT}")
    return effort
