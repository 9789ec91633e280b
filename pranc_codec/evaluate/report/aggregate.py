"""Average results over the images, in files that other tools can read, too.

The files follow CompressAI's schema: `name`, `description` and `results`, which has parallel lists
of means in rising order of rate. Two more entries are ours: `meta`, and `per_image` with the same
series for each image. CompressAI's plot tool converts every series whose name contains "ms-ssim" to
dB, so ours are linear.
"""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, Final

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.harness.store import Result
from pranc_codec.files import write_atomically

SERIES: Final = {  # name in CompressAI's schema: field of `Result`
    "bpp": "bpp",
    "psnr-rgb": "psnr_db",
    "ssim-rgb": "ssim",
    "ms-ssim-rgb": "ms_ssim",
    "ssimulacra2": "ssimulacra2",
    "encoding_time": "encode_s",
    "decoding_time": "decode_s",
}
MEAN_MSE: Final = "psnr-of-mean-mse-rgb"
MEASURE_DEFINITIONS: Final = {
    "bpp": "8 * bytes of the whole file / pixels, mean over images",
    "psnr-rgb": "dB, per image over all 8-bit RGB samples, then mean over images; null: infinite",
    MEAN_MSE: "dB, of the mean over images of their mean squared errors; null: infinite",
    "ssim-rgb": "Gaussian 11x11 window, sigma 1.5 (scikit-image), mean over R, G and B",
    "ms-ssim-rgb": "linear 0..1, five scales, Gaussian 11x11 window (pytorch-msssim)",
    "ssimulacra2": "SSIMULACRA 2.1, 100: equal (Python package ssimulacra2), mean over images",
    "encoding_time": "wall-clock seconds after a warm-up, mean over images",
    "decoding_time": "wall-clock seconds after a warm-up, mean over images",
}
PointResults = dict[str, Result]
"""The results of one point, by image."""


def aggregate(results: Sequence[Result], *, name: str | None = None) -> dict[str, Any]:
    """Average results over the images at each point; return a document in CompressAI's schema.

    Its `name`, `description` and `results` are CompressAI's, with points in rising order of rate;
    `per_image` has the same series for each image (null for an infinite PSNR), and `meta` says what
    was measured. A measure is omitted if an image lacks it, because the image is too small or a
    package was missing. Numbers are rounded to six decimals. `write_report` stores the document and
    `load_report` reads it.

    Raises InvalidArgument if the results are of different codecs or settings, or if the points do
    not cover the same images.
    """
    points = sorted(_points(results), key=lambda point: fmean(r.bpp for r in point.values()))
    series = {
        key: field
        for key, field in SERIES.items()
        if all(getattr(result, field) is not None for result in results)
    }
    return {
        "name": name or results[0].codec,
        "description": _description(points),
        "results": {
            **{key: [_mean(point, field) for point in points] for key, field in series.items()},
            MEAN_MSE: [psnr_of_mean_mse(r.psnr_db for r in point.values()) for point in points],
        },
        "meta": _meta(points, series),
        "per_image": {
            image: {
                key: [_rounded(getattr(point[image], field)) for point in points]
                for key, field in {**series, "peak_memory_bytes": "peak_memory_bytes"}.items()
            }
            for image in sorted(points[0])
        },
    }


def write_report(document: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write an aggregate to a file, which `load_report` reads."""
    with write_atomically(path) as file:
        file.write(report_text(document).encode())


def report_text(document: Mapping[str, Any]) -> str:
    """Return an aggregate as strict JSON, with one line for each series."""
    lines = []
    for key, value in document.items():
        text = json.dumps(value, allow_nan=False)
        if isinstance(value, dict):
            inner = [
                f"  {json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in value.items()
            ]
            text = "{\n" + ",\n".join(inner) + "\n }"
        lines.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def psnr_of_mean_mse(psnr_db: Iterable[float | None]) -> float | None:
    """Return the PSNR in dB of the mean MSE, from the PSNRs of single images.

    None stands for an infinite PSNR, in the arguments and in the result.
    """
    mse = fmean(0 if value is None else 10 ** (-value / 10) for value in psnr_db)
    return _rounded(-10 * math.log10(mse)) if mse else None


def _mean(point: PointResults, field: str) -> int | float | None:
    return _rounded(fmean(getattr(result, field) for result in point.values()))


def _points(results: Sequence[Result]) -> list[PointResults]:
    """Group results by point; raise unless all are of one codec and every point has all images."""
    if not results:
        raise InvalidArgument("there are no results to average")
    sources = {(r.codec, r.version, r.parameter, _fixed_settings(r)) for r in results}
    if len(sources) > 1:
        listed = "; ".join(" ".join(source) for source in sorted(sources))
        raise InvalidArgument(f"results of different codecs or settings are not averaged: {listed}")
    images = {r.image: r.image_sha256 for r in results}
    points: dict[Any, PointResults] = {}
    for result in results:
        point = points.setdefault(result.settings[result.parameter], {})
        if result.image in point or images[result.image] != result.image_sha256:
            raise InvalidArgument(
                f"two results are of an image called {result.image!r} at {result.parameter} = "
                f"{result.settings[result.parameter]}: rename or leave out one"
            )
        point[result.image] = result
    missing = [
        f"{results[0].parameter} = {value} lacks {', '.join(sorted(images.keys() - point.keys()))}"
        for value, point in points.items()
        if images.keys() - point.keys()
    ]
    if missing:
        raise InvalidArgument(f"points must cover the same images: {'; '.join(missing)}")
    return list(points.values())


def _fixed_settings(result: Result) -> str:
    """Return the settings that are equal at all points, as text."""
    fixed = {key: value for key, value in result.settings.items() if key != result.parameter}
    return json.dumps(fixed, sort_keys=True)


def _values(points: Sequence[PointResults]) -> list[Any]:
    """Return the varied setting of each point."""
    firsts = (next(iter(point.values())) for point in points)
    return [first.settings[first.parameter] for first in firsts]


def _description(points: Sequence[PointResults]) -> str:
    first = next(iter(points[0].values()))
    values = ", ".join(str(value) for value in _values(points))
    return (
        f"{first.codec} ({first.version}), {first.parameter} = {values}, "
        f"other settings {_fixed_settings(first)}. Means over {len(points[0])} images of whole "
        "files and of what they decode to in 8 bits."
    )


def _meta(points: Sequence[PointResults], series: Mapping[str, str]) -> dict[str, Any]:
    first = next(iter(points[0].values()))
    results = [result for point in points for result in point.values()]
    return {
        "codec": first.codec,
        "version": first.version,
        "parameter": first.parameter,
        "points": _values(points),
        "settings": json.loads(_fixed_settings(first)),
        "images": {name: points[0][name].image_sha256 for name in sorted(points[0])},
        "threads": sorted({result.threads for result in results}),
        "devices": sorted({result.device for result in results}),
        "measures": {key: MEASURE_DEFINITIONS[key] for key in [*series, MEAN_MSE]},
    }


def _rounded(value: int | float | None) -> int | float | None:
    """Round to six decimals; infinity becomes None, which is null in JSON."""
    return None if value is None or math.isinf(value) else round(value, 6)
