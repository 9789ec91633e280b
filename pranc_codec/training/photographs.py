"""Load photographs to train on, and cut them into random windows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from pranc_codec.errors import InvalidArgument

HOLD_OUT_EVERY: Final = 10
SMALLEST_REDUCTION: Final = 0.5


def load_photographs(
    folder: Path, longest_side: int, *, held_out: bool = False
) -> list[UInt8[Tensor, "h w 3"]]:
    """Load the images of a folder as RGB, reduced to a longest side.

    Every tenth image is held out to validate. held_out: return these instead of all others. Raises
    InvalidArgument for a folder with fewer than two images.
    """
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in Image.registered_extensions())
    if len(paths) < 2:
        raise InvalidArgument(
            f"{folder} holds {len(paths)} images: at least 2 are needed, because every "
            f"{HOLD_OUT_EVERY}th is held out to validate"
        )
    paths = [p for number, p in enumerate(paths) if (number % HOLD_OUT_EVERY == 0) == held_out]
    out = []
    for path in paths:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        image.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
        out.append(torch.from_numpy(np.asarray(image).copy()))
    return out


def random_crops(
    images: Sequence[UInt8[Tensor, "_ _ 3"]], count: int, side: int, generator: torch.Generator
) -> Float[Tensor, "n 3 side side"]:
    """Cut square windows in [0, 1], mirrored and transposed at random.

    Half of them are reduced from windows of up to twice the side.
    """
    return torch.stack([_random_crop(images, side, generator) for _ in range(count)])


def _random_crop(
    images: Sequence[UInt8[Tensor, "_ _ 3"]], side: int, generator: torch.Generator
) -> Float[Tensor, "3 side side"]:
    def draw(below: int) -> int:
        return int(torch.randint(below, (), generator=generator))

    image = images[draw(len(images))]
    reduction = SMALLEST_REDUCTION + (1 - SMALLEST_REDUCTION) * float(
        torch.rand((), generator=generator)
    )
    wanted = side if draw(2) else round(side / reduction)
    window = min(wanted, image.shape[0], image.shape[1])
    top, left = draw(image.shape[0] - window + 1), draw(image.shape[1] - window + 1)
    crop = image[top : top + window, left : left + window].permute(2, 0, 1)
    if window != side:
        crop = functional.interpolate(
            crop[None], size=(side, side), mode="bicubic", antialias=True, align_corners=False
        )[0]
    if draw(2):
        crop = crop.flip(2)
    if draw(2):
        crop = crop.transpose(1, 2)
    return crop.contiguous().float() / 255
