"""The checked arguments of one call of `encode`, and the value that its callback receives."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from pranc_codec.encoder.mlp.plan import MlpRule
from pranc_codec.errors import renamed_attribute
from pranc_codec.image import Picture


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The state of a fit, for a progress callback.

    iteration: number of finished iterations, out of `iterations`. loss: MSE + lmbda * bpp_estimate.
    bpp_estimate, psnr_db_estimate: the file's values may differ by a few percent. preview: function
    that renders the image as it is now, uint8 (h, w, colours). If an image is fitted in tiles,
    loss, estimates and preview are those of one tile.
    """

    iteration: int
    iterations: int
    loss: float
    bpp_estimate: float
    psnr_db_estimate: float
    preview: Callable[[], np.ndarray]

    step = renamed_attribute("step", "iteration")
    steps = renamed_attribute("steps", "iterations")


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class EncodeRequest:
    """What to encode, and how hard to try.

    effort: 0 .. 7. seed: key of the basis and of all random numbers. rule: how the network of the
    mlp profile follows from the rate.
    """

    picture: Picture
    effort: int
    seed: int = 0
    device: torch.device = torch.device("cpu")
    progress: ProgressCallback | None = None
    rule: MlpRule = MlpRule()

    @property
    def pixels(self) -> int:
        return self.size[0] * self.size[1]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""
        height, width = self.picture.colours.shape[:2]
        return int(height), int(width)

    @property
    def colours(self) -> int:
        """Number of colours that are coded: 1 for a grey picture, else 3."""
        return int(self.picture.colours.shape[2])
