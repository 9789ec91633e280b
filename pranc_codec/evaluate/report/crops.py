"""Compare several codecs on the same part of an image, at the same number of bytes."""

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
from pranc_codec.evaluate.harness.measure import load_rgb, pixels_sha256
from pranc_codec.evaluate.report.report import Report
from pranc_codec.metrics import psnr_db

WIDTH, HEIGHT = 320, 240
"""Size of a crop in pixels. Crops are taken from the middle of the image."""
RATE_TOLERANCE: Final = 0.01
"""Relative error of the rate at which the search for a setting stops."""
MAX_TRIES: Final = 4
MAX_SEARCH_S: Final = 20.0
"""No further encoding starts after this time; the first one is usually within a few percent."""


@dataclass(frozen=True, kw_only=True)
class Crop:
    """The middle of a decoded image. `bpp` and `psnr_db` are those of the whole image."""

    name: str
    data_uri: str  # a lossless WebP image
    file_bytes: int | None = None
    bpp: float | None = None
    psnr_db: float | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Crops of one image: first the original, then each codec's at the same rate."""

    image: str
    target_bpp: float
    crops: Sequence[Crop]


def compare_at_equal_bytes(path: Path, reports: Sequence[Report], target_bpp: float) -> Comparison:
    """Encode the image with every codec of the reports whose curve for this image covers the rate.

    The setting of each codec is interpolated on its curve for this image and refined by encoding,
    until the bytes are within 1 %, no setting is closer, or the search takes too long.

    Raises InvalidArgument if the file does not hold the pixels that a report was measured on.
    """
    image, name = load_rgb(path), path.stem
    crops = [Crop(name="original", data_uri=_middle(np.asarray(image)))]
    sha256 = pixels_sha256(image)
    for report in reports:
        if report.codec not in codec_names() or name not in report.per_image:
            continue
        if report.images.get(name) != sha256:
            raise InvalidArgument(
                f"{path} holds other pixels than those that {report.name} was measured on"
            )
        codec = find_codec(report.codec, parameter=report.parameter)
        found = _at_rate(codec, image, report, name, target_bpp)
        if found:
            crops.append(found)
    return Comparison(image=name, target_bpp=target_bpp, crops=crops)


def _at_rate(
    codec: Codec, image: Image.Image, report: Report, name: str, target_bpp: float
) -> Crop | None:
    """Return the crop whose file is closest to the rate; None if the curve does not cover it."""
    rates = [bpp for bpp in report.per_image[name]["bpp"] if bpp]
    rate_by_setting = dict(zip(report.points, rates, strict=True))
    if not rates[0] <= target_bpp <= rates[-1]:
        return None
    pixels = image.width * image.height
    files: dict[int | float, bytes] = {}
    start = time.monotonic()
    while len(files) < MAX_TRIES and time.monotonic() - start < MAX_SEARCH_S:
        value = _setting_for(rate_by_setting, target_bpp)
        if value in files:
            break
        settings = {**codec.settings, **report.settings, codec.parameter: value}
        files[value] = codec.encode(image, settings)
        rate_by_setting[value] = 8 * len(files[value]) / pixels
    data = min(files.values(), key=lambda file: abs(8 * len(file) / pixels - target_bpp))
    decoded = codec.decode(data)
    return Crop(
        name=report.name,
        data_uri=_middle(decoded),
        file_bytes=len(data),
        bpp=8 * len(data) / pixels,
        psnr_db=psnr_db(np.asarray(image), decoded),
    )


def _setting_for(rate_by_setting: Mapping[int | float, float], target_bpp: float) -> int | float:
    """Interpolate the setting for a rate, or return a known one within the tolerance."""
    known = sorted((rate, value) for value, rate in rate_by_setting.items())
    for rate, value in known:
        if abs(rate / target_bpp - 1) < RATE_TOLERANCE:
            return value
    log_rates = np.log([rate for rate, _ in known])
    value = float(np.interp(np.log(target_bpp), log_rates, [value for _, value in known]))
    whole = all(isinstance(setting, int) for setting in rate_by_setting)
    return round(value) if whole else round(value, 4)


def _middle(pixels: UInt8[np.ndarray, "h w 3"]) -> str:
    """Return the middle of an image as the data URI of a lossless WebP file."""
    height, width, _ = pixels.shape
    top, left = max(0, height - HEIGHT) // 2, max(0, width - WIDTH) // 2
    part = Image.fromarray(pixels[top : top + HEIGHT, left : left + WIDTH])
    file = io.BytesIO()
    part.save(file, format="WEBP", lossless=True, quality=60)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
