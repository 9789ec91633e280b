"""Meet a target on the real file: finer or coarser steps after the fit, without fitting again.

A shift of n makes the steps coarser by n codes in all (a code is 2**(1/16)), spread evenly over
the layers from the first on, so that the file's size moves in steps well below one percent.
"""

from collections.abc import Callable, Sequence
from typing import Final

FINEST_SHIFT: Final = -64
COARSEST_SHIFT: Final = 96


def shifted(q_step_codes: Sequence[int], shift: int) -> list[int]:
    """Step codes after a shift; a lower code is a coarser step."""
    each, rest = divmod(shift, len(q_step_codes))
    return [
        min(255, max(0, code - each - (layer < rest))) for layer, code in enumerate(q_step_codes)
    ]


def smallest_shift(holds: Callable[[int], bool], layers: int) -> int | None:
    """Smallest shift at which a condition holds that, once true, stays true; None if never."""
    low, high = FINEST_SHIFT * layers, COARSEST_SHIFT * layers
    if not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
