"""What codecs make of the same part of an image in the same number of bytes."""

import base64
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.codecs.codec import Codec
from pranc_codec.evaluate.codecs.registry import codec_names, find_codec
from pranc_codec.evaluate.harness.measure import load_rgb, sha256_of
from pranc_codec.evaluate.report.report import Report
from pranc_codec.metrics import psnr_db

WIDTH, HEIGHT = 320, 240  # of a crop, from the middle
CLOSE_ENOUGH: Final = 0.01  # of the bytes
MOST_TRIES: Final = 4
PATIENCE_S: Final = 20.0  # no further try after this time: the first is within a few percent


@dataclass(frozen=True, kw_only=True)
class Crop:
    """The middle of an image as a codec shows it. bpp and psnr_db are of the whole image."""

    name: str
    picture: str  # a data URI, lossless
    file_bytes: int | None = None
    bpp: float | None = None
    psnr_db: float | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """An image, first as it is, then as each codec shows it at the same rate."""

    image: str
    target_bpp: float
    crops: Sequence[Crop]


def compare_at_equal_bytes(path: Path, reports: Sequence[Report], target_bpp: float) -> Comparison:
    """Code the image with every codec of the reports whose curve for it covers this rate.

    Each codec's setting is interpolated on its own curve of this very image and refined on real
    files, until the bytes are within 1 %, no setting is closer, or the tries take too long.
    """
    image, name = load_rgb(path), path.stem
    crops = [Crop(name="original", picture=_middle(np.asarray(image)))]
    sha256 = sha256_of(image)
    for report in reports:
        if report.codec not in codec_names() or name not in report.per_image:
            continue
        if report.images.get(name) != sha256:
            raise InvalidArgument(f"{path} holds other pixels than those that {report.name} is of")
        found = _at_rate(find_codec(report.codec, parameter=report.parameter), image, report, name,
                         target_bpp)  # fmt: skip
        if found:
            crops.append(found)
    return Comparison(image=name, target_bpp=target_bpp, crops=crops)


def _at_rate(
    codec: Codec, image: Image.Image, report: Report, name: str, target_bpp: float
) -> Crop | None:
    """The image in the file that comes closest to the rate; None if that is outside the curve."""
    rates = [bpp for bpp in report.per_image[name]["bpp"] if bpp]
    points = dict(zip(report.points, rates, strict=True))  # rate by setting
    if not rates[0] <= target_bpp <= rates[-1]:
        return None
    pixels = image.width * image.height
    files: dict[int | float, bytes] = {}
    start = time.monotonic()
    while len(files) < MOST_TRIES and time.monotonic() - start < PATIENCE_S:
        value = _setting_for(points, target_bpp)
        if value in files:
            break
        settings = {**codec.settings, **report.settings, codec.parameter: value}
        files[value] = codec.encode(image, settings)
        points[value] = 8 * len(files[value]) / pixels
    data = min(files.values(), key=lambda file: abs(8 * len(file) / pixels - target_bpp))
    decoded = codec.decode(data)
    return Crop(
        name=report.name,
        picture=_middle(decoded),
        file_bytes=len(data),
        bpp=8 * len(data) / pixels,
        psnr_db=psnr_db(np.asarray(image), decoded),
    )


def _setting_for(points: Mapping[int | float, float], target_bpp: float) -> int | float:
    """Interpolate the setting for a rate; a known one if it is close enough."""
    known = sorted((rate, value) for value, rate in points.items())
    for rate, value in known:
        if abs(rate / target_bpp - 1) < CLOSE_ENOUGH:
            return value
    log_rates = np.log([rate for rate, _ in known])
    value = float(np.interp(np.log(target_bpp), log_rates, [value for _, value in known]))
    return round(value) if all(isinstance(point, int) for point in points) else round(value, 4)


def _middle(pixels: UInt8[np.ndarray, "h w 3"]) -> str:
    """The middle of an image as a data URI of a lossless WebP file."""
    height, width, _ = pixels.shape
    top, left = max(0, height - HEIGHT) // 2, max(0, width - WIDTH) // 2
    part = Image.fromarray(pixels[top : top + HEIGHT, left : left + WIDTH])
    file = io.BytesIO()
    part.save(file, format="WEBP", lossless=True, quality=60)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
