"""What a fit of the grid profile tells while it runs, whatever it is that it fits."""

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from torch import Tensor

from pranc_codec.encoder.request import Progress
from pranc_codec.grid import decode as grid_decode
from pranc_codec.image import to_samples


@runtime_checkable
class Problem(Protocol):
    """opponent: the image; price: of a bit, in squared steps; step: of the latents."""

    @property
    def opponent(self) -> Float[Tensor, "1 3 h w"]: ...
    @property
    def price(self) -> float: ...
    @property
    def step(self) -> float: ...


def progress_of(
    problem: Problem, iteration: int, iterations: int, distortion: float, bits: float,
    preview: Callable[[], npt.NDArray[np.uint8]],
) -> Progress:  # fmt: skip
    """After an iteration, counted from 0. distortion: squared error of the image in steps."""
    pixels = problem.opponent[0, 0].numel()
    mse = distortion * problem.step**2 / (3 * pixels)
    return Progress(
        step=iteration + 1,
        steps=iterations,
        loss=mse + problem.price * problem.step**2 / 3 * bits / pixels,
        bpp_estimate=bits / pixels,
        psnr_db_estimate=-10 * math.log10(max(mse, 1e-10)),
        preview=preview,
    )


def shown(opponent: Float[Tensor, "3 h w"], colours: int) -> npt.NDArray[np.uint8]:
    """Opponent colours as samples (h, w, colours)."""
    pixels = grid_decode.to_colours(opponent, colours).permute(1, 2, 0)
    return to_samples(pixels.cpu().numpy(), "uint8")
