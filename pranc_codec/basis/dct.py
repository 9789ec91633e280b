"""The basis `dct`: a signed hash for each frequency of a layer's convolution kernels.

Trained kernels are smooth: most of their energy lies in low spatial frequencies. Here every kernel
is the inverse discrete cosine transform of its frequencies, and each frequency of a layer has a
hash basis and coefficients of its own: many for the lowest frequency, which is the kernels' mean,
and few for the highest. This follows FreshNets (Chen et al., "Compressing convolutional neural
networks in the frequency domain", KDD 2016, section 3), with three differences: the hash has signs,
its columns are orthogonal, and a frequency's share of the coefficients depends on nothing else.
"""

import math
from collections.abc import Sequence
from itertools import product
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from pranc_codec.basis.allocation import apportion_capped
from pranc_codec.basis.hash import HashBasis

MOST_FREQUENCIES: Final = 1 << 12
"""Layers whose kernels have more entries than this have the basis `hash`."""
LAYER_BITS: Final = 16
"""Frequency f of layer n uses the random numbers of layer n + f * 2**16."""
UNIT: Final = 1 << 16
FRACTION_BITS: Final = 32


class DctBasis:
    """The basis of a layer whose weights begin with convolution kernels of one shape.

    Weights that follow the kernels, such as a bias, are hashed without a transform. Both products
    cost O(weights). kernels: number of kernels. kernel: shape of one kernel. cache: as for
    `HashBasis`.
    """

    def __init__(
        self, weights: int, coefficients: int, *, kernels: int, kernel: Sequence[int], seed: int,
        layer: int, cache: bool = False,
    ) -> None:  # fmt: skip
        self.weights, self.coefficients = weights, coefficients
        self._kernels, self._kernel = kernels, tuple(kernel)
        self._size = math.prod(kernel)
        rest = weights - kernels * self._size
        sizes = [kernels] * self._size + [rest] * (rest > 0)
        importance = importances(kernel)
        mean = sum(importance) / self._size
        self._amplitudes = [math.sqrt(i / mean) for i in importance]
        self._shares = apportion_capped(
            coefficients, sizes, [kernels * i for i in importance] + [rest * UNIT] * (rest > 0)
        )
        self._parts = [
            HashBasis(size, k, seed=seed, layer=layer + (f << LAYER_BITS), cache=cache)
            if k
            else None
            for f, (size, k) in enumerate(zip(sizes, self._shares, strict=True))
        ]
        self._transforms = [cosines(length) for length in kernel]

    def expand(
        self, coefficients: Float[Tensor, " k"], start: int, stop: int
    ) -> Float[Tensor, " rows"]:
        """Return rows start .. stop - 1 of basis @ coefficients.

        They are summed in float64 in a fixed order.
        """
        parts = torch.split(coefficients, self._shares)
        out, end = [], self._kernels * self._size
        if start < end:
            first, last = start // self._size, -(-min(stop, end) // self._size)
            kernels = self._expand_kernels(parts, first, last).view(-1)
            begin = start - first * self._size
            out.append(kernels.narrow(0, begin, min(stop, end) - start).to(coefficients.dtype))
        if stop > end:
            out.append(_expand(self._parts[-1], parts[-1], max(start, end) - end, stop - end))
        return torch.cat(out)

    def project(self, gradient: Float[Tensor, " rows"], start: int) -> Float[Tensor, " k"]:
        """Return the part of basis.T @ gradient that the rows from `start` on give."""
        stop, end = start + gradient.numel(), self._kernels * self._size
        out = [gradient.new_zeros(k) for k in self._shares]
        if start < end:
            first = start // self._size
            part = gradient.narrow(0, 0, min(stop, end) - start).double()
            before = start - first * self._size
            whole = pad(part, (before, -(before + part.numel()) % self._size))
            planes = self._frequencies(whole).to(gradient.dtype)
            for f, (basis, plane) in enumerate(zip(self._parts, planes, strict=False)):
                if basis is not None:
                    out[f] = basis.project(plane, first)
        if stop > end and (rest := self._parts[-1]):
            begin = max(start, end)
            out[-1] = rest.project(gradient.narrow(0, begin - start, stop - begin), begin - end)
        return torch.cat(out)

    def _expand_kernels(
        self, parts: Sequence[Tensor], first: int, last: int
    ) -> Float[Tensor, "_ ..."]:
        planes = [
            _expand(basis, part, first, last)
            for basis, part in zip(self._parts[: self._size], parts, strict=False)
        ]
        out = torch.stack(planes, dim=1).double() * self._amplitudes_on(planes[0].device)
        out = out.view(-1, *self._kernel)
        for axis, transform in enumerate(self._transforms):
            out = _along(out, axis + 1, transform)
        return out

    def _frequencies(self, gradient: Float[Tensor, " n"]) -> Float[Tensor, "frequencies kernels"]:
        """Return the gradient of each frequency, given the gradient of the kernels.

        This is the transposed transform.
        """
        out = gradient.view(-1, *self._kernel)
        for axis, transform in enumerate(self._transforms):
            out = _along(out, axis + 1, list(zip(*transform, strict=True)))
        planes = out.view(-1, self._size) * self._amplitudes_on(gradient.device)
        return planes.T.contiguous()

    def _amplitudes_on(self, device: torch.device) -> Float[Tensor, " frequencies"]:
        return torch.tensor(self._amplitudes, dtype=torch.float64, device=device)


def importances(kernel: Sequence[int]) -> list[int]:
    """Return the importance of each frequency of a kernel, in arbitrary units and row-major order.

    A frequency's variance and its share of the coefficients are proportional to its importance,
    which falls by a factor of eight from the lowest to the highest frequency along each dimension.
    The energy of trained kernels falls by a factor of four or five, but a factor of eight trains to
    a lower loss than four.
    """
    relative = [[u / max(length - 1, 1) for u in range(length)] for length in kernel]
    return [max(1, round(UNIT * 8.0 ** -sum(u))) for u in product(*relative)]


def cosines(length: int) -> list[tuple[float, ...]]:
    """Return the matrix of the orthonormal cosine transform (DCT-II), one row per frequency.

    Its entries are rounded to multiples of 2**-32, because mathematical libraries differ in the
    last bit.
    """
    unit = 2.0**FRACTION_BITS
    return [
        tuple(
            round(
                unit
                * math.sqrt((2 if u else 1) / length)
                * math.cos(math.pi * (2 * x + 1) * u / (2 * length))
            )
            / unit
            for x in range(length)
        )
        for u in range(length)
    ]


def _expand(basis: HashBasis | None, coefficients: Tensor, start: int, stop: int) -> Tensor:
    if basis is None:
        return coefficients.new_zeros(stop - start)
    return basis.expand(coefficients, start, stop)


def _along(x: Tensor, axis: int, matrix: Sequence[Sequence[float]]) -> Tensor:
    """Multiply a small matrix onto one dimension of x: sum over u of entry u of x times row u.

    This avoids torch's matrix product, whose order of summation depends on the machine.
    """
    rows = [torch.tensor(row, dtype=x.dtype, device=x.device) for row in matrix]
    shape = [-1 if d == axis else 1 for d in range(x.dim())]
    out = torch.zeros_like(x)
    for u, row in enumerate(rows):
        out = out + x.narrow(axis, u, 1) * row.view(shape)
    return out
