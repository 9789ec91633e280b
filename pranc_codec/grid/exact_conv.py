"""Convolutions of integers in float32, which are exact as long as all sums stay below 2**24.

Then the order of summation does not matter, so any routine may be used that really forms these
sums: oneDNN's direct convolution where torch has it, else matrix products with shifted views of the
maps. Routines that may transform their inputs (Winograd, FFT) or round them (TF32) are not allowed.
"""

import platform
from collections.abc import Callable
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor


def convolve(
    x: Float[Tensor, "1 inputs rows w"], weight: Float[Tensor, "outputs inputs kh kw"]
) -> Float[Tensor, "1 outputs _ w"]:
    """Return the exact sums of a 1x1 or 3x3 layer.

    The output of a 3x3 layer has two rows fewer than its input; columns are padded with zero.
    """
    direct = direct_convolution() if x.device.type == "cpu" else None
    return convolve_by_products(x, weight) if direct is None else direct(x, weight)


@lru_cache(maxsize=1)
def direct_convolution() -> Callable[[Tensor, Tensor], Tensor] | None:
    """Return oneDNN's convolution, which torch calls with the direct algorithm.

    Return None if this torch or this machine does not have it, or if its sums are wrong.
    """
    operation = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)
    if operation is None or platform.machine() not in ("x86_64", "AMD64"):
        return None

    def convolve_directly(x: Tensor, weight: Tensor) -> Tensor:
        padding, ones = [0, weight.shape[3] // 2], [1, 1]
        out: Tensor = operation(x, weight, None, padding, ones, ones, 1, "none", [], "")
        return out

    x = torch.arange(-127.0, 128.0).repeat(8)[: 4 * 7 * 9 * 8].view(8, 4, 7, 9)[:1]
    weight = torch.arange(-127.0, 128.0)[: 6 * 4 * 9].view(6, 4, 3, 3)
    try:
        works = torch.equal(convolve_directly(x, weight), convolve_by_products(x, weight))
    except (RuntimeError, TypeError):
        return None
    return convolve_directly if works else None


def convolve_by_products(x: Tensor, weight: Tensor) -> Tensor:
    """Compute `convolve` as matrix products with shifted maps."""
    size = weight.shape[3]
    height, width = x.shape[2] - size + 1, x.shape[3]
    x = torch.nn.functional.pad(x, (size // 2, size // 2))
    out = x.new_zeros(weight.shape[0], height * width)
    for dy in range(size):
        for dx in range(size):
            part = x[0, :, dy : dy + height, dx : dx + width].flatten(1)
            out.addmm_(weight[:, :, dy, dx], part)
    return out.view(1, -1, height, width)
