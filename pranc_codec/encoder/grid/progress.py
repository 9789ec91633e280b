"""Progress reports of the fits of the grid profile."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from torch import Tensor

from pranc_codec.encoder.request import Progress
from pranc_codec.grid.opponent import colours_of
from pranc_codec.image import to_samples


@runtime_checkable
class FitProblem(Protocol):
    """The part of a problem that progress reports need.

    opponent: the image. lmbda_steps2: lambda in squared quantization steps. q_step: quantization
    step of the latents.
    """

    @property
    def opponent(self) -> Float[Tensor, "1 3 h w"]: ...
    @property
    def lmbda_steps2(self) -> float: ...
    @property
    def q_step(self) -> float: ...


@dataclass(frozen=True, kw_only=True)
class FitState:
    """The state of a fit after an iteration, which is counted from 0.

    distortion_steps2: squared error of the whole image, in squared quantization steps. bits: bits
    of the whole image. preview: function that renders the image as it is now, uint8.
    """

    iteration: int
    iterations: int
    distortion_steps2: float
    bits: float
    preview: Callable[[], npt.NDArray[np.uint8]]


def progress_of(problem: FitProblem, state: FitState) -> Progress:
    """Return the value that the progress callback receives."""
    pixels = problem.opponent[0, 0].numel()
    mse = state.distortion_steps2 * problem.q_step**2 / (3 * pixels)
    return Progress(
        iteration=state.iteration + 1,
        iterations=state.iterations,
        loss=mse + problem.lmbda_steps2 * problem.q_step**2 / 3 * state.bits / pixels,
        bpp_estimate=state.bits / pixels,
        psnr_db_estimate=-10 * math.log10(max(mse, 1e-10)),
        preview=state.preview,
    )


def rendered(opponent: Float[Tensor, "3 h w"], colours: int) -> npt.NDArray[np.uint8]:
    """Convert opponent colours to samples (h, w, colours), uint8."""
    return to_samples(colours_of(opponent, colours).permute(1, 2, 0).cpu().numpy(), "uint8")
