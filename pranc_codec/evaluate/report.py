"""From results to curves: means over the images, files that other tools read, and BD-rates."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.store import Result
from pranc_codec.files import write_atomically

SERIES: Final = {  # names that CompressAI's plots know; ms-ssim-rgb is linear, not in dB
    "bpp": "bpp",
    "psnr-rgb": "psnr_db",
    "ssim-rgb": "ssim",
    "ms-ssim-rgb": "ms_ssim",
    "encoding_time": "encode_s",
    "decoding_time": "decode_s",
}
MEASURES: Final = {
    "bpp": "8 * bytes of the whole file / pixels, mean over images",
    "psnr-rgb": "dB, per image over all 8-bit RGB samples, then mean over images; null: infinite",
    "ssim-rgb": "Gaussian 11x11 window, sigma 1.5 (scikit-image), mean over R, G and B",
    "ms-ssim-rgb": "linear 0..1, five scales, Gaussian 11x11 window (pytorch-msssim)",
    "encoding_time": "wall-clock seconds after a warm-up, mean over images",
    "decoding_time": "wall-clock seconds after a warm-up, mean over images",
}
Point = dict[str, Result]  # by image


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Rate and distortion of a codec, one value a point, in rising order of rate."""

    name: str
    bpp: tuple[float, ...]
    psnr_db: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class BdRate:
    """Mean difference in rate at equal PSNR, in percent, and the PSNRs it is taken between."""

    percent: float
    low_db: float
    high_db: float


def aggregate(results: Sequence[Result], *, name: str | None = None) -> dict[str, Any]:
    """Means over the images at each point, in CompressAI's JSON schema, in rising order of rate.

    Beside its `name`, `description` and `results` there are `per_image`, the same series for
    each image (with null for an infinite PSNR), and `meta`. SSIM and MS-SSIM are left out if an
    image is too small for them. Numbers are rounded to six decimals. `write_report` stores it.
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
            key: [_rounded(fmean(getattr(r, field) for r in point.values())) for point in points]
            for key, field in series.items()
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
    """Write an aggregate as strict JSON with a line for each series; `load_curve` reads it."""
    lines = []
    for key, value in document.items():
        text = json.dumps(value, allow_nan=False)
        if isinstance(value, dict):
            inner = [
                f"  {json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in value.items()
            ]
            text = "{\n" + ",\n".join(inner) + "\n }"
        lines.append(f" {json.dumps(key)}: {text}")
    with write_atomically(path) as file:
        file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())


def load_curve(path: str | os.PathLike[str], *, image: str | None = None) -> Curve:
    """Read the curve of a file in CompressAI's schema: ours, theirs, or a published baseline.

    image: of this one (under `per_image`) instead of the mean over all.
    """
    try:
        document = json.loads(Path(path).read_bytes())
        results = document["results"] if image is None else document["per_image"][image]
        pairs = list(zip(results["bpp"], results["psnr-rgb"], strict=True))
        pairs = sorted((float(bpp), float(psnr)) for bpp, psnr in pairs if psnr is not None)
    except (ValueError, KeyError, TypeError) as error:
        place = "results" if image is None else f"per_image of {image}"
        raise InvalidArgument(
            f"{path} has no curve: expected JSON with equally long lists "
            f'"bpp" and "psnr-rgb" in {place} ({type(error).__name__}: {error})'
        ) from error
    if not pairs:
        raise InvalidArgument(f"{path} has no point with a finite PSNR")
    return Curve(
        name=str(document.get("name", Path(path).stem)),
        bpp=tuple(bpp for bpp, _ in pairs),
        psnr_db=tuple(psnr for _, psnr in pairs),
    )


def bd_rate(
    curve: Curve, anchor: Curve, *, psnr_range_db: tuple[int | float, int | float] | None = None
) -> BdRate:
    """Rate of `curve` against `anchor` at equal PSNR in percent; negative is fewer bits.

    Bjontegaard, VCEG-M33 (2001), with piecewise cubic Hermite (PCHIP) interpolation of log rate
    over PSNR as in JVET's sheets. The mean is taken over the PSNRs that both curves cover, and
    that lie in `psnr_range_db` if it is given: both curves are cut there, at interpolated end
    points. BD-rates of different intervals cannot be compared, so the interval is returned.
    """
    import bjontegaard

    for each in (curve, anchor):
        _check_rising(each)
    bounds = [(each.psnr_db[0], each.psnr_db[-1]) for each in (curve, anchor)]
    if psnr_range_db:
        bounds.append(psnr_range_db)
    low_db = float(max(low for low, _ in bounds))
    high_db = float(min(high for _, high in bounds))
    if low_db >= high_db:
        raise InvalidArgument(
            f"{curve.name} covers {bounds[0][0]:.2f}..{bounds[0][1]:.2f} dB and {anchor.name} "
            f"{bounds[1][0]:.2f}..{bounds[1][1]:.2f} dB, the range asked for is {psnr_range_db}: "
            "they share no interval. Measure points that overlap"
        )
    if psnr_range_db:
        curve, anchor = (_cut(each, low_db, high_db) for each in (curve, anchor))
    percent = bjontegaard.bd_rate(
        anchor.bpp,
        anchor.psnr_db,
        curve.bpp,
        curve.psnr_db,
        method="pchip",
        require_matching_points=False,
        min_overlap=0,
    )
    return BdRate(percent=float(percent), low_db=low_db, high_db=high_db)


def _points(results: Sequence[Result]) -> list[Point]:
    """Group results by setting; raise unless they are one codec's, over equal sets of images."""
    if not results:
        raise InvalidArgument("there are no results to average")
    sources = {(r.codec, r.version, r.parameter, _fixed_settings(r)) for r in results}
    if len(sources) > 1:
        listed = "; ".join(" ".join(source) for source in sorted(sources))
        raise InvalidArgument(f"results of different codecs or settings are not averaged: {listed}")
    images = {r.image: r.image_sha256 for r in results}
    points: dict[Any, Point] = {}
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
    """The settings that the points do not vary, as text."""
    fixed = {key: value for key, value in result.settings.items() if key != result.parameter}
    return json.dumps(fixed, sort_keys=True)


def _values(points: Sequence[Point]) -> list[Any]:
    """The varied setting at each point."""
    firsts = (next(iter(point.values())) for point in points)
    return [first.settings[first.parameter] for first in firsts]


def _description(points: Sequence[Point]) -> str:
    first = next(iter(points[0].values()))
    values = ", ".join(str(value) for value in _values(points))
    return (
        f"{first.codec} ({first.version}), {first.parameter} = {values}, "
        f"other settings {_fixed_settings(first)}. Means over {len(points[0])} images of whole "
        "files and of what they decode to in 8 bits."
    )


def _meta(points: Sequence[Point], series: Mapping[str, str]) -> dict[str, Any]:
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
        "measures": {key: MEASURES[key] for key in series},
    }


def _rounded(value: int | float | None) -> int | float | None:
    """Six decimals; None (null in JSON) for infinity."""
    return None if value is None or math.isinf(value) else round(value, 6)


def _check_rising(curve: Curve) -> None:
    """Raise unless more bits mean more dB throughout, without which no BD-rate is defined."""
    for i in range(1, len(curve.bpp)):
        if not (0 < curve.bpp[i - 1] < curve.bpp[i] and curve.psnr_db[i - 1] < curve.psnr_db[i]):
            raise InvalidArgument(
                f"{curve.name} does not rise from ({curve.bpp[i - 1]} bpp, "
                f"{curve.psnr_db[i - 1]} dB) to ({curve.bpp[i]} bpp, {curve.psnr_db[i]} dB): "
                "leave out the point that is worse than another"
            )
    if len(curve.bpp) < 2:
        raise InvalidArgument(f"{curve.name} has one point: a BD-rate needs two or more")


def _cut(curve: Curve, low_db: float, high_db: float) -> Curve:
    """The part of a curve between two PSNRs, with interpolated points at its ends."""
    from scipy.interpolate import PchipInterpolator

    log_rate = PchipInterpolator(curve.psnr_db, np.log10(curve.bpp))
    inside = [(r, p) for r, p in zip(curve.bpp, curve.psnr_db, strict=True) if low_db < p < high_db]
    ends = [(float(10 ** log_rate(psnr)), psnr) for psnr in (low_db, high_db)]
    pairs = [ends[0], *inside, ends[1]]
    return Curve(
        name=curve.name, bpp=tuple(r for r, _ in pairs), psnr_db=tuple(p for _, p in pairs)
    )
