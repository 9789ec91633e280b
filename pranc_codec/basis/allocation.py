"""How many of a network's coefficients each layer gets, in integers.

The numbers are part of the file formats: every machine has to compute the same ones.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

from pranc_codec.errors import InvalidArgument


def apportion(total: int, sizes: Sequence[int]) -> list[int]:
    """Share out `total` coefficients in proportion to the layers' weights (the mlp profile).

    sizes: number of weights of each layer. Every layer gets one coefficient first. The others are
    shared out in proportion to the number of weights minus one, by the method of largest remainders
    (ties go to the earlier layer), so that no layer gets more coefficients than it has weights.
    Raises InvalidArgument for fewer coefficients than layers, or more coefficients than weights.
    """
    _check_total(total, sizes)
    rooms = [size - 1 for size in sizes]
    spare = total - len(sizes)
    return [1 + more for more in _largest_remainders(spare, rooms)]


def apportion_by_roots(total: int, sizes: Sequence[int]) -> list[int]:
    """Share out `total` coefficients in proportion to the square roots of the layers' weights.

    This suits classifiers: their last layers have most of the weights and need the fewest
    coefficients per weight. Every layer gets at least one coefficient and at most as many as it
    has weights; what a small layer cannot take goes to the others. Raises InvalidArgument as
    `apportion` does.
    """
    _check_total(total, sizes)
    return _at_least_one(apportion_capped(total, sizes, [math.isqrt(size << 32) for size in sizes]))


def apportion_capped(total: int, caps: Sequence[int], priorities: Sequence[int]) -> list[int]:
    """Share out `total` in proportion to the priorities, giving no part more than its cap.

    What a part cannot take goes to the others, in proportion to their priorities. `total` must not
    exceed the sum of the caps.
    """
    shares, below_cap = list(caps), list(range(len(caps)))
    while below_cap:
        left = total - sum(caps) + sum(caps[i] for i in below_cap)
        found = _largest_remainders(left, [priorities[i] for i in below_cap])
        still = [i for i, share in zip(below_cap, found, strict=True) if share < caps[i]]
        if still == below_cap:
            for i, share in zip(below_cap, found, strict=True):
                shares[i] = share
            break
        below_cap = still
    return shares


def _check_total(total: int, sizes: Sequence[int]) -> None:
    if not len(sizes) <= total <= sum(sizes):
        raise InvalidArgument(
            f"{total} coefficients for {len(sizes)} layers with {sum(sizes)} weights: "
            f"use {len(sizes)} to {sum(sizes)}"
        )


def _largest_remainders(total: int, parts: Sequence[int]) -> list[int]:
    """Divide `total` in proportion to `parts`, rounded down.

    What rounding leaves over goes to the parts with the largest remainders, one each; ties go to
    the earlier part.
    """
    whole = max(sum(parts), 1)
    shares = [total * part // whole for part in parts]
    order = sorted(range(len(parts)), key=lambda i: (-(total * parts[i] % whole), i))
    for i in order[: total - sum(shares)]:
        shares[i] += 1
    return shares


def _at_least_one(shares: list[int]) -> list[int]:
    """Return the shares with every 0 raised to 1, which is taken from the largest share."""
    out = list(shares)
    for i, share in enumerate(shares):
        if share == 0:
            out[out.index(max(out))] -= 1
            out[i] = 1
    return out


ALLOCATION_RULES: Final[dict[str, Callable[[int, Sequence[int]], list[int]]]] = {
    "weights": apportion,
    "roots": apportion_by_roots,
}
"""Named rules: each maps (total, weights of each layer) to the coefficients of each layer."""
