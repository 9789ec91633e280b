"""Which part of an image is shown, and at which size."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Size = tuple[int, int]
Region = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class View:
    """What of an image is to be shown.

    size: (width, height) it is rendered at. region: (left, top, right, bottom) in pixels of that
    size. levels: of the wavelet, that are used at most. reduce: halvings of the image's own size.
    prefix: whether the file may be cut off behind what the view needs.
    """

    size: Size
    region: Region
    levels: int | None = None
    reduce: int = 0
    prefix: bool = False


def alpha_window(
    alpha: npt.NDArray[Any], own: Size, size: Size, region: Region
) -> npt.NDArray[Any]:
    """Alpha of a window: a crop, or resampled (bicubic) from the part that it shows."""
    left, top, right, bottom = region
    return alpha[top:bottom, left:right] if size == own else window_of(alpha, size, region)


def window_of(plane: npt.NDArray[Any], size: Size, region: Region) -> npt.NDArray[Any]:
    """A window of a plane (h, w) resampled to `size` (bicubic), from the part that it shows."""
    left, top, right, bottom = region
    across, down = plane.shape[1] / size[0], plane.shape[0] / size[1]
    box = (left * across, top * down, right * across, bottom * down)
    shape = (right - left, bottom - top)
    return np.asarray(Image.fromarray(plane).resize(shape, Image.Resampling.BICUBIC, box=box))
