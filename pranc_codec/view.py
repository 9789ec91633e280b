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
    """Which part of an image is shown, at which size and in how much detail.

    size: (width, height) of the whole image as it is rendered. region: the window (left, top,
    right, bottom) of it that is shown, in pixels of that size. levels: use at most the N coarsest
    wavelet levels; None for all. reduce: how often the image's own size is halved. prefix: whether
    the file may be cut off after the bytes that the view needs.
    """

    size: Size
    region: Region
    levels: int | None = None
    reduce: int = 0
    prefix: bool = False


def alpha_window(
    alpha: npt.NDArray[Any], own: Size, size: Size, region: Region
) -> npt.NDArray[Any]:
    """Return the alpha of a window: a crop at the image's own size, else resampled by `window_of`.

    alpha: (h, w), that of the whole image. own: the image's own (width, height).
    """
    left, top, right, bottom = region
    return alpha[top:bottom, left:right] if size == own else window_of(alpha, size, region)


def window_of(plane: npt.NDArray[Any], size: Size, region: Region) -> npt.NDArray[Any]:
    """Return a window of a plane (h, w) that is resampled to `size` with a bicubic filter.

    Only the part of the plane that the window shows is read.
    """
    left, top, right, bottom = region
    across, down = plane.shape[1] / size[0], plane.shape[0] / size[1]
    box = (left * across, top * down, right * across, bottom * down)
    shape = (right - left, bottom - top)
    return np.asarray(Image.fromarray(plane).resize(shape, Image.Resampling.BICUBIC, box=box))
