"""Open uploaded pictures: decide which ones the page accepts, and prepare them."""

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
"""Choices for a picture's longest side, in pixels."""
FORMATS: Final = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM")
"""Accepted formats, which are recognized by content. Pillow's other readers are not used, because
some of them start programs."""
GREYS: Final = ("1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N", "I")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as the page encodes it: 8 bits per sample, mode L or RGB, upright.

    notes: descriptions of what was changed, for the visitor.
    """

    image: Image.Image
    notes: tuple[str, ...]

    @property
    def pixels(self) -> np.ndarray:
        """The picture as RGB, uint8 (h, w, 3)."""
        return rgb_pixels(self.image)

    @property
    def pixel_count(self) -> int:
        return self.image.width * self.image.height


def open_picture(path: Path, side: str) -> Picture:
    """Read an upload. side: a key of `SIDES`. Raises InvalidArgument, which says what to try."""
    with _opened(path) as image:
        image.load()
        return _prepared(image, SIDES[side])


def size_of(path: Path, side: str) -> tuple[int, int]:
    """Return the width and height at which a picture will be encoded, before it is turned upright.

    Only the picture's header is read.
    """
    with _opened(path) as image:
        scale = min(1.0, SIDES[side] / max(image.size))
        return max(1, round(image.width * scale)), max(1, round(image.height * scale))


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """Open an upload, if it is not too large. Pillow's exceptions become InvalidArgument."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd but readable files; the size is checked
            with Image.open(path, formats=FORMATS) as image:
                _check_size(image.width, image.height)
                yield image
    except InvalidArgument:
        raise
    except UnidentifiedImageError as error:
        raise InvalidArgument(
            f"this is not a picture that can be read: this page takes {', '.join(FORMATS)}"
        ) from error
    except Image.DecompressionBombError as error:
        raise InvalidArgument(f"this picture is too large: {error}") from error
    except FileNotFoundError as error:
        raise InvalidArgument("this picture is no longer on the server: upload it again") from error
    except Exception as error:  # a damaged file may raise anything
        raise InvalidArgument(f"this picture is damaged: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return an error's message, unless it could contain a path of the server."""
    text = str(error)
    return text if text and "/" not in text else "it could not be read to its end"


def _check_size(width: int, height: int) -> None:
    if width * height > LARGEST_PIXELS:
        raise InvalidArgument(
            f"{width}x{height} is more than the {LARGEST_PIXELS // 1_000_000} megapixels that "
            "this page takes: reduce the picture first, or use `pranc encode`"
        )


def _prepared(opened: Image.Image, side: int) -> Picture:
    upright = ImageOps.exif_transpose(opened)
    notes = []
    if upright.has_transparency_data:
        notes.append("laid on white (files can keep transparency; JPEG cannot)")
    image = _eight_bit(upright)
    if max(image.size) > side:
        before = f"{image.width}x{image.height}"
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        notes.append(f"reduced from {before} to {image.width}x{image.height}")
    return Picture(image=image, notes=tuple(notes))


def _eight_bit(image: Image.Image) -> Image.Image:
    """Convert to mode L or RGB, with transparent parts on a white background."""
    if image.mode == "F":
        raise InvalidArgument(
            "this picture has float samples, which have no fixed range: save it with 8 or 16 bits"
        )
    if image.mode.startswith("I"):
        samples = np.asarray(image)
        if samples.min() < 0 or samples.max() > 65535:
            raise InvalidArgument(
                f"this picture has samples from {samples.min()} to {samples.max()}: only those "
                "from 0 to 65535 can be kept"
            )
        return Image.fromarray((samples // 257).astype(np.uint8))
    kind = "L" if image.mode in GREYS else "RGB"
    if not image.has_transparency_data:
        return image.convert(kind)
    over = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), over).convert(kind)


def rgb_pixels(image: Image.Image) -> np.ndarray:
    """Return a picture of any mode on a white background as RGB samples, uint8 (h, w, 3)."""
    return np.asarray(_eight_bit(image).convert("RGB"))
