"""Uploads in, pixels out: what the page accepts, and what it does to a picture first."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from pranc_codec import InvalidArgument

LARGEST_PIXELS: Final = 16_000_000
SIDES: Final = {"768 px": 768, "1536 px": 1536, "as it is": 65535}
"""Choices for the longest side."""
GREYS: Final = ("1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N", "I")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as the page encodes it: 8 bit, L or RGB, upright. notes: what was done to it."""

    name: str
    image: Image.Image
    notes: tuple[str, ...]

    @property
    def pixels(self) -> np.ndarray:
        """RGB, uint8 (h, w, 3)."""
        return rgb_pixels(self.image)

    @property
    def pixel_count(self) -> int:
        return self.image.width * self.image.height


def open_picture(path: str | None, side: str) -> Picture:
    """Read an upload. side: one of `SIDES`. Raises InvalidArgument, saying what to try."""
    with _opened(path) as image:
        image.load()
        return _prepared(image, Path(str(path)).stem, SIDES[side])


def size_of(path: str | None, side: str) -> tuple[int, int]:
    """Width and height at which a picture will be encoded; from its header, so it is quick."""
    with _opened(path) as image:
        scale = min(1.0, SIDES[side] / max(image.size))
        return max(1, round(image.width * scale)), max(1, round(image.height * scale))


@contextmanager
def _opened(path: str | None) -> Iterator[ImageFile.ImageFile]:
    """An upload's image, not larger than allowed; what Pillow says against it becomes ours."""
    if not path:
        raise InvalidArgument("choose a picture first: upload one, or take an example")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd but readable files; the size is checked here
            with Image.open(path) as image:
                _check_size(image.width, image.height)
                yield image
    except UnidentifiedImageError as error:
        raise InvalidArgument(
            "this is not a picture that can be read: try PNG, JPEG, WebP, AVIF or TIFF"
        ) from error
    except Image.DecompressionBombError as error:
        raise InvalidArgument(f"this picture is too large: {error}") from error
    except (OSError, SyntaxError, EOFError) as error:
        raise InvalidArgument(f"this picture is damaged: {error}") from error


def _check_size(width: int, height: int) -> None:
    if width * height > LARGEST_PIXELS:
        raise InvalidArgument(
            f"{width}x{height} is more than the {LARGEST_PIXELS // 1_000_000} megapixels that "
            "this page takes: reduce the picture first, or use `pranc encode`"
        )


def _prepared(opened: Image.Image, name: str, side: int) -> Picture:
    upright = ImageOps.exif_transpose(opened)
    notes = []
    if upright.has_transparency_data:
        notes.append("laid on white (files can keep transparency; JPEG cannot)")
    image = _eight_bit(upright)
    if max(image.size) > side:
        before = f"{image.width}x{image.height}"
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        notes.append(f"reduced from {before} to {image.width}x{image.height}")
    return Picture(name=name, image=image, notes=tuple(notes))


def _eight_bit(image: Image.Image) -> Image.Image:
    """L or RGB; what is transparent becomes white."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    kind = "L" if image.mode in GREYS else "RGB"
    if not image.has_transparency_data:
        return image.convert(kind)
    over = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), over).convert(kind)


def rgb_pixels(image: Image.Image) -> np.ndarray:
    """uint8 (h, w, 3) of a decoded picture of any mode, transparency on white."""
    return np.asarray(_eight_bit(image).convert("RGB"))
