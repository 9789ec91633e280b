"""How many of a network's coefficients each layer gets: integers, the same on every machine."""

import math
from collections.abc import Callable, Sequence
from typing import Final

from pranc_codec.errors import InvalidArgument


def apportion(total: int, sizes: Sequence[int]) -> list[int]:
    """Share `total` coefficients among layers in proportion to their weights (the mlp profile).

    Each layer gets one; the others are shared in proportion to the layers' weights beyond their
    first, by largest remainders (ties: the earlier layer). So no layer has more than its weights.
    """
    _check_total(total, sizes)
    rooms = [size - 1 for size in sizes]
    spare = total - len(sizes)
    return [1 + more for more in _largest_remainders(spare, rooms)]


def apportion_by_roots(total: int, sizes: Sequence[int]) -> list[int]:
    """Share `total` coefficients among layers in proportion to the roots of their weights.

    For classifiers, whose last layers have most of the weights and need the fewest coefficients
    for each. No layer gets more than its weights, or less than one; what a small layer cannot take
    the others share.
    """
    _check_total(total, sizes)
    return _at_least_one(fill(total, sizes, [math.isqrt(size << 32) for size in sizes]))


def fill(total: int, sizes: Sequence[int], priorities: Sequence[int]) -> list[int]:
    """Share `total` in proportion to priorities, no part more than its size; what a part cannot
    take the others share. total: at most the sum of the sizes."""
    shares, open_ = list(sizes), list(range(len(sizes)))
    while open_:
        left = total - sum(sizes) + sum(sizes[i] for i in open_)
        found = _largest_remainders(left, [priorities[i] for i in open_])
        still = [i for i, share in zip(open_, found, strict=True) if share < sizes[i]]
        if still == open_:
            for i, share in zip(open_, found, strict=True):
                shares[i] = share
            break
        open_ = still
    return shares


def _check_total(total: int, sizes: Sequence[int]) -> None:
    if not len(sizes) <= total <= sum(sizes):
        raise InvalidArgument(
            f"{total} coefficients for {len(sizes)} layers with {sum(sizes)} weights: "
            f"use {len(sizes)} to {sum(sizes)}"
        )


def _largest_remainders(total: int, parts: Sequence[int]) -> list[int]:
    """`total` in proportion to `parts`; what rounding down leaves goes to the largest remainders,
    ties to the earlier part."""
    whole = max(sum(parts), 1)
    shares = [total * part // whole for part in parts]
    order = sorted(range(len(parts)), key=lambda i: (-(total * parts[i] % whole), i))
    for i in order[: total - sum(shares)]:
        shares[i] += 1
    return shares


def _at_least_one(shares: list[int]) -> list[int]:
    """Empty shares take one from the largest."""
    out = list(shares)
    for i, share in enumerate(shares):
        if share == 0:
            out[out.index(max(out))] -= 1
            out[i] = 1
    return out


RULES: Final[dict[str, Callable[[int, Sequence[int]], list[int]]]] = {
    "weights": apportion,
    "roots": apportion_by_roots,
}
"""By what layers share the coefficients: given their total and the layers' weights."""
