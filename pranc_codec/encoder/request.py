"""One call of `encode`, arguments checked."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from pranc_codec.encoder.mlp.plan import Rule
from pranc_codec.image import Picture


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a progress callback is told. Estimates: the file may differ by a few percent. Of a fit
    in tiles, loss, estimates and preview are of one tile."""

    step: int
    steps: int
    loss: float
    bpp_estimate: float
    psnr_db_estimate: float
    preview: Callable[[], np.ndarray]
    """Renders the image as it is now, uint8 (h, w, colours)."""


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to encode and how hard to try."""

    picture: Picture
    effort: int
    seed: int = 0
    device: torch.device = torch.device("cpu")
    progress: ProgressCallback | None = None
    rule: Rule = Rule()

    @property
    def pixels(self) -> int:
        return int(self.picture.colours.shape[0] * self.picture.colours.shape[1])

    @property
    def colours(self) -> int:
        """How many are coded: 1 for a grey picture, else 3."""
        return int(self.picture.colours.shape[2])
