"""The same picture in other formats, at the same bytes."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from pranc_codec.evaluate import psnr_db

FORMATS: Final[dict[str, dict[str, Any]]] = {
    "JPEG": dict(format="JPEG", optimize=True, progressive=True, subsampling="4:2:0"),
    "WebP": dict(format="WEBP", method=6),
    "AVIF": dict(format="AVIF", speed=4, subsampling="4:4:4"),
}
QUALITIES: Final = range(1, 101)


@dataclass(frozen=True, kw_only=True)
class Rival:
    """What a format made of the picture. fits: it is not above the wanted bytes."""

    name: str
    file_bytes: int
    pixels: np.ndarray
    psnr_db: float
    fits: bool


def rival(image: Image.Image, name: str, most_bytes: int) -> Rival:
    """The picture in a format, at the highest quality that is not above `most_bytes`; at the
    lowest quality, if even that is."""
    data = largest_file(lambda quality: encode(image, name, quality), most_bytes)
    decoded = Image.open(io.BytesIO(data)).convert("RGB")
    return Rival(
        name=name,
        file_bytes=len(data),
        pixels=np.asarray(decoded),
        psnr_db=psnr_db(np.asarray(image.convert("RGB")), np.asarray(decoded)),
        fits=len(data) <= most_bytes,
    )


def largest_file(encode: Callable[[int], bytes], most_bytes: int) -> bytes:
    """By bisection over `QUALITIES`, along which files grow: the largest that is not above
    `most_bytes`, or that of the lowest quality."""
    low, high = QUALITIES.start, QUALITIES.stop
    best = encode(low)
    while high - low > 1:
        middle = (low + high) // 2
        data = encode(middle)
        if len(data) <= most_bytes:
            low, best = middle, data
        else:
            high = middle
    return best


def encode(image: Image.Image, name: str, quality: int) -> bytes:
    """A file of one of `FORMATS`, by Pillow."""
    file = io.BytesIO()
    image.save(file, quality=quality, **FORMATS[name])
    return file.getvalue()
