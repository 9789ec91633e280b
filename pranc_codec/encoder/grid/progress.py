"""What a fit of the grid profile tells while it runs, whatever it is that it fits."""

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
    """opponent: the image. lmbda_steps2: lambda in squared quantization steps. q_step: of the
    latents."""

    @property
    def opponent(self) -> Float[Tensor, "1 3 h w"]: ...
    @property
    def lmbda_steps2(self) -> float: ...
    @property
    def q_step(self) -> float: ...


@dataclass(frozen=True, kw_only=True)
class FitState:
    """A fit after an iteration, which is counted from 0.

    distortion_steps2: squared error of the whole image in quantization steps. bits: of the whole
    image. preview: renders the image as it is now, uint8.
    """

    iteration: int
    iterations: int
    distortion_steps2: float
    bits: float
    preview: Callable[[], npt.NDArray[np.uint8]]


def progress_of(problem: FitProblem, state: FitState) -> Progress:
    """What the progress callback is told."""
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
    """Opponent colours as samples (h, w, colours)."""
    return to_samples(colours_of(opponent, colours).permute(1, 2, 0).cpu().numpy(), "uint8")
