"""The colour transform of the grid profile: RGB <-> three orthonormal opponent colours.

The first is luminance, (1, 1, 1) / sqrt 3; the others are (1, 0, -1) / sqrt 2 and
(1, -2, 1) / sqrt 6. Mid-grey is subtracted before the transform, so it becomes zero.
"""

import math
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

MID_GREY: Final = 0.5
MATRIX: Final = (
    (1 / math.sqrt(3), 1 / math.sqrt(3), 1 / math.sqrt(3)),
    (1 / math.sqrt(2), 0.0, -1 / math.sqrt(2)),
    (1 / math.sqrt(6), -2 / math.sqrt(6), 1 / math.sqrt(6)),
)


def to_opponent(rgb: Float[Tensor, "n colours h w"]) -> Float[Tensor, "n colours h w"]:
    """Transform linearly from RGB; `to_rgb` is the inverse."""
    return torch.einsum("cd,ndhw->nchw", torch.tensor(MATRIX, dtype=torch.float64).to(rgb), rgb)


def to_rgb(opponent: Float[Tensor, "n colours h w"]) -> Float[Tensor, "n colours h w"]:
    """Transform linearly to RGB; inverse of `to_opponent`."""
    return torch.einsum(
        "dc,ndhw->nchw", torch.tensor(MATRIX, dtype=torch.float64).to(opponent), opponent
    )


def opponent_of(rgb: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Return the opponent colours around mid-grey of images in [0, 1]; inverse of `colours_of`."""
    return to_opponent(rgb - MID_GREY)


def colours_of(opponent: Float[Tensor, "3 h w"], colours: int) -> Float[Tensor, "c h w"]:
    """Return RGB or grey samples, near [0, 1], of one image in opponent colours around mid-grey.

    colours: 3, or 1 for a grey image, whose samples are the mean of the three channels.
    """
    rgb = to_rgb(opponent[None])[0] + MID_GREY
    return rgb if colours == 3 else rgb.mean(0, keepdim=True)
