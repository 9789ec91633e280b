"""Meet a target exactly with finer or coarser quantization steps, without fitting again.

A shift of n makes the steps coarser by n codes in total (one code is a factor of 2**(1/16)). The
codes are spread evenly over the layers, starting with the first, so that the size of the file
changes by well below one percent from shift to shift.
"""

from collections.abc import Callable, Sequence
from typing import Final

FINEST_SHIFT: Final = -64
COARSEST_SHIFT: Final = 96


def shifted(q_step_codes: Sequence[int], shift: int) -> list[int]:
    """Return the step codes after a shift. A lower code is a coarser step."""
    each, rest = divmod(shift, len(q_step_codes))
    return [
        min(255, max(0, code - each - (layer < rest))) for layer, code in enumerate(q_step_codes)
    ]


def smallest_shift(holds: Callable[[int], bool], layers: int) -> int | None:
    """Return the smallest shift at which a condition holds; None if it never does.

    holds: a condition that, once true, stays true at all larger shifts. layers: number of layers.
    """
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
