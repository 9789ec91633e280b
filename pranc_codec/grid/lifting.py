"""The CDF 9/7 wavelet along one axis, by lifting.

Source: Daubechies & Sweldens, "Factoring wavelet transforms into lifting steps", 1998. In turn,
each odd sample is changed by its two even neighbours (predict), and each even sample by its two odd
neighbours (update). Signals are mirrored at their ends. On real numbers this is done in place, and
so is the adjoint, which computes the gradients of `merge`. On integers each step is rounded, so the
result is the same on every machine.
"""

from typing import Any, Final

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.autograd.function import once_differentiable

LIFTING: Final = (
    (-1.586134342059924, -0.052980118572961),
    (0.882911075530934, 0.443506852043971),
)
"""Factors of predict and update, for each of the two pairs of steps."""
GAIN: Final = 1.149604398860241
FIXED_BITS: Final = 16
"""Fraction bits of these factors in the integer form."""
Links = list[tuple[Tensor, Tensor]]


def split(x: Float[Tensor, "..."], dim: int) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Split along axis 2 or 3 of four into a low-pass and a high-pass band.

    `merge` is the inverse.
    """
    even, odd = _even_and_odd(x, dim)
    for predict, update in LIFTING:
        for e, o in _links_to_odd(even, odd, dim):
            o.add_(e, alpha=predict)
        for e, o in _links_to_even(even, odd, dim):
            e.add_(o, alpha=update)
    return even * GAIN, odd / GAIN


def merge(
    low: Shaped[Tensor, "..."], high: Shaped[Tensor, "..."], dim: int
) -> Shaped[Tensor, "..."]:
    """Merge two bands; differentiable inverse of `split`. The axis has at least two samples."""
    if not low.is_floating_point():
        return _merge_integers(low, high, dim)
    out: Tensor = _Merge.apply(low, high, dim)  # type: ignore[no-untyped-call]
    return out


class _Merge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, low: Tensor, high: Tensor, dim: int) -> Tensor:
        ctx.dim = dim
        even, odd = low / GAIN, high * GAIN
        for predict, update in reversed(LIFTING):
            for e, o in _links_to_even(even, odd, dim):
                e.sub_(o, alpha=update)
            for e, o in _links_to_odd(even, odd, dim):
                o.sub_(e, alpha=predict)
        return _interleaved(even, odd, dim)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Apply the adjoint: the steps in reverse order, each with its two samples exchanged."""
        even, odd = _even_and_odd(gradient, ctx.dim)
        for predict, update in LIFTING:
            for e, o in _links_to_odd(even, odd, ctx.dim):
                e.sub_(o, alpha=predict)
            for e, o in _links_to_even(even, odd, ctx.dim):
                o.sub_(e, alpha=update)
        return even / GAIN, odd * GAIN, None


def _even_and_odd(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return copies of the even and the odd samples, which are then changed in place."""
    even, odd = (x[..., n::2] if dim == 3 else x[..., n::2, :] for n in (0, 1))
    return (
        even.clone(memory_format=torch.contiguous_format),
        odd.clone(memory_format=torch.contiguous_format),
    )


def _interleaved(even: Tensor, odd: Tensor, dim: int) -> Tensor:
    """Interleave even and odd samples; inverse of `_even_and_odd`."""
    n, m = even.shape[dim], odd.shape[dim]
    if n > m:
        odd = torch.cat([odd, odd.narrow(dim, 0, 1)], dim)
    if dim == 3 and even.is_floating_point():  # as complex numbers, which is three times as fast
        both = torch.view_as_real(torch.complex(even, odd))
    else:
        both = torch.stack([even, odd], dim=dim + 1)
    return both.flatten(dim, dim + 1).narrow(dim, 0, n + m)


def _links_to_even(even: Tensor, odd: Tensor, dim: int) -> Links:
    """Return pairs of neighbouring samples, as views of equal size, to update even samples.

    Each even sample is paired with the odd samples before and after it. At an end of the axis it is
    paired with its only neighbour twice.
    """
    n, m = even.shape[dim], odd.shape[dim]
    links = [(even.narrow(dim, 0, 1), odd.narrow(dim, 0, 1)), *_inner_links(even, odd, dim)]
    if n > m:
        links.append((even.narrow(dim, m, 1), odd.narrow(dim, m - 1, 1)))
    return links


def _links_to_odd(even: Tensor, odd: Tensor, dim: int) -> Links:
    """Return the same pairs with the even neighbours of each odd sample."""
    n, m = even.shape[dim], odd.shape[dim]
    links = _inner_links(even, odd, dim)
    if n == m:
        links.append((even.narrow(dim, n - 1, 1), odd.narrow(dim, m - 1, 1)))
    return links


def _inner_links(even: Tensor, odd: Tensor, dim: int) -> Links:
    n, m = even.shape[dim], odd.shape[dim]
    return [
        (even.narrow(dim, 0, m), odd),
        (even.narrow(dim, 1, n - 1), odd.narrow(dim, 0, n - 1)),
    ]


def _merge_integers(
    low: Int[Tensor, "..."], high: Int[Tensor, "..."], dim: int
) -> Int[Tensor, "..."]:
    even, odd = _times(low, 1 / GAIN), _times(high, GAIN)
    for predict, update in reversed(LIFTING):
        around = torch.zeros_like(even)
        for e, o in _links_to_even(around, odd, dim):
            e.add_(o)
        even -= _times(around, update)
        around = torch.zeros_like(odd)
        for e, o in _links_to_odd(even, around, dim):
            o.add_(e)
        odd -= _times(around, predict)
    return _interleaved(even, odd, dim)


def _times(x: Int[Tensor, "..."], factor: float) -> Int[Tensor, "..."]:
    """Multiply by a constant in fixed point and round to the nearest integer."""
    return (x * round(factor * 2**FIXED_BITS) + (1 << FIXED_BITS - 1)) >> FIXED_BITS
