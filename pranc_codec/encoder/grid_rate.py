"""Find the step, then the price, at which a file of the grid profile meets its target.

Errors are functions that rise with coarser steps and with the price of a bit, and are zero where
the target is met: log2(wanted bpp / bpp), or wanted PSNR - PSNR.
"""

import math
from collections.abc import Callable
from typing import Final

from pranc_codec.parameters import STEP_CODES, STEP_OFFSET

FINEST, COARSEST = (code - STEP_OFFSET for code in STEP_CODES)
START: Final = -210
MOST_TRIALS: Final = 10
LARGEST_PRICE: Final = 0.1
PRICE_TRIALS: Final = 7


def clipped(code: float) -> int:
    """The nearest step that the format can say."""
    return round(max(FINEST, min(COARSEST, code)))


def nearest_step(error: Callable[[int], float], slope: float) -> int:
    """The step code with the smallest error that is tried. slope: of the error per code, about."""
    tried: dict[int, float] = {}
    code = START
    for _ in range(MOST_TRIALS):
        if code in tried:
            break
        tried[code] = error(code)
        code = _next(tried, code, slope)
    return min(tried, key=lambda c: abs(tried[c]))


def _next(tried: dict[int, float], last: int, slope: float) -> int:
    """Where the error is expected to be zero: between the nearest codes on both sides of it, or
    beyond the last one."""
    finer = max((c for c, e in tried.items() if e <= 0), default=None)
    coarser = min((c for c, e in tried.items() if e > 0), default=None)
    if finer is None or coarser is None:
        return clipped(last - tried[last] / slope)
    if abs(coarser - finer) <= 1:
        return last
    span = tried[coarser] - tried[finer]
    inside = finer - (coarser - finer) * tried[finer] / span
    low, high = sorted((finer, coarser))
    return max(low + 1, min(high - 1, round(inside)))


def price_for(error: Callable[[float], float]) -> float:
    """The largest price, of a few tried, with an error that is not positive; 0 if there is none."""
    low, high = 0.0, LARGEST_PRICE
    for _ in range(PRICE_TRIALS):
        # Small prices matter most: bisect their square roots.
        middle = ((math.sqrt(low) + math.sqrt(high)) / 2) ** 2
        if error(middle) <= 0:
            low = middle
        else:
            high = middle
    return low
