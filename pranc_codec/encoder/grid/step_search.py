"""Find the quantization step, then the lambda, at which a file meets its target.

Errors are functions that rise with coarser steps and with a higher lambda, and that are zero where
the target is met: log2(wanted bpp / bpp), or wanted PSNR - PSNR.
"""

import math
from collections.abc import Callable
from typing import Final, TypeVar

from pranc_codec.format.parameters import Q_STEP_CODES, Q_STEP_OFFSET

C = TypeVar("C")
FINEST, COARSEST = (code - Q_STEP_OFFSET for code in Q_STEP_CODES)
MOST_TRIALS: Final = 14
TRUSTED_TRIALS: Final = 4
"""After this many trials the bracket is bisected, whatever the estimate says."""
LARGEST_SURCHARGE: Final = 0.1
"""Largest increase of lambda, in squared quantization steps."""
SURCHARGE_TRIALS: Final = 7


def clipped(code: float) -> int:
    """Return the nearest step code that the format has."""
    return round(max(FINEST, min(COARSEST, code)))


def nearest_step(
    error: Callable[[int], float], estimate: Callable[[int], float], close: float, slack: float
) -> int:
    """Return the step code with the smallest absolute error of those that are tried.

    The search ends at an absolute error of at most `close`. Steps with an error of at most `slack`
    are preferred. estimate: estimates the error; it may be off by a difference that changes slowly
    with the step.
    """
    tried: dict[int, float] = {}
    code = next_step(estimate, 0.0)
    while code not in tried and len(tried) < MOST_TRIALS:
        tried[code] = error(code)
        if abs(tried[code]) <= close:
            return code
        code = _inside(tried, next_step(estimate, tried[code] - estimate(code)))
    return min(tried, key=lambda c: (tried[c] > slack, abs(tried[c])))


def next_step(estimate: Callable[[int], float], difference: float) -> int:
    """Return the code at which the estimate plus a difference is nearest to zero."""
    low, high = FINEST, COARSEST
    while high - low > 1:
        middle = (low + high) // 2
        if estimate(middle) + difference <= 0:
            low = middle
        else:
            high = middle
    return min(low, high, key=lambda code: abs(estimate(code) + difference))


def _inside(tried: dict[int, float], code: int) -> int:
    """Return a code between the nearest tried codes with errors on both sides of zero.

    It is `code` if that lies between them and there were few trials, else their middle. If there is
    no code between them, it is one that was already tried.
    """
    finer = max((c for c, e in tried.items() if e <= 0), default=FINEST - 1)
    coarser = min((c for c, e in tried.items() if e > 0), default=COARSEST + 1)
    if coarser - finer <= 1:
        return next(iter(tried))
    trusted = len(tried) < TRUSTED_TRIALS and finer < code < coarser
    return code if trusted else (finer + coarser) // 2


def at_largest_surcharge(
    with_surcharge: Callable[[float], C], error: Callable[[C], float], free: C
) -> C:
    """Trade surplus quality for rate, by bisection of the surcharge on lambda.

    Returns the result of the largest surcharge that was tried without a positive error. If there is
    none, returns `free`, which is the result without a surcharge.
    """
    low, high, best = 0.0, LARGEST_SURCHARGE, free
    for _ in range(SURCHARGE_TRIALS):
        # Small surcharges matter most: bisect their square roots.
        middle = ((math.sqrt(low) + math.sqrt(high)) / 2) ** 2
        found = with_surcharge(middle)
        if error(found) <= 0:
            low, best = middle, found
        else:
            high = middle
    return best
