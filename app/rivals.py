"""Encode the same picture in other formats, at the same number of bytes."""

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
    """A picture in one format.

    pixels: the decoded samples. fits: whether the file is not larger than wanted.
    """

    name: str
    file_bytes: int
    pixels: np.ndarray
    psnr_db: float
    fits: bool


def rival(image: Image.Image, name: str, most_bytes: int) -> Rival:
    """Encode a picture in one of `FORMATS`, at the highest quality that fits in `most_bytes`.

    If no quality fits, the lowest one is used.
    """
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
    """Find the largest file of at most `most_bytes`, or else that of the lowest quality.

    Files grow with quality, so this is a bisection of `QUALITIES`.
    """
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
    """Encode a picture in one of `FORMATS` with Pillow."""
    file = io.BytesIO()
    image.save(file, quality=quality, **FORMATS[name])
    return file.getvalue()
