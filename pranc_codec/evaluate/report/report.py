"""Read reports: ours, CompressAI's own, and published points in CompressAI's schema."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any, Final

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.codecs.codec import Settings
from pranc_codec.evaluate.report.curves import Curve

Series = Mapping[str, Sequence[float | None]]
OLD_KEYS: Final = {"psnr": "psnr-rgb", "ms-ssim": "ms-ssim-rgb"}
"""Keys in CompressAI's results of its own models, and the names of the same keys elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The measurements of a codec. Every series has one value per point, in rising order of rate.

    results: means over the images, under CompressAI's names. per_image: the same series for each
    image, or empty if the file only has means. codec, version, parameter, points, settings: what
    was measured, or None or empty if the file does not say. images: SHA-256 of the RGB bytes, by
    the name of the image.
    """

    name: str
    results: Series
    description: str = ""
    per_image: Mapping[str, Series] = field(default_factory=dict)
    codec: str | None = None
    version: str | None = None
    parameter: str | None = None
    points: Sequence[int | float] = ()
    settings: Settings = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)

    def curve(self, image: str | None = None) -> Curve:
        """Return PSNR over rate of one image, or of the mean if `image` is None.

        Points of infinite PSNR are omitted. Raises InvalidArgument if no point is left, or if the
        report does not have that image.
        """
        if image is not None and image not in self.per_image:
            raise InvalidArgument(f"{self.name} has no results of {image}, only means")
        series = self.results if image is None else self.per_image[image]
        pairs = [
            (bpp, psnr)
            for bpp, psnr in zip(series["bpp"], series["psnr-rgb"], strict=True)
            if bpp is not None and psnr is not None
        ]
        if not pairs:
            raise InvalidArgument(f"{self.name} has no point with a finite PSNR")
        return Curve(
            name=self.name, bpp=tuple(b for b, _ in pairs), psnr_db=tuple(p for _, p in pairs)
        )


def load_report(path: str | os.PathLike[str]) -> Report:
    """Read a file in CompressAI's schema: ours, theirs, or published points.

    Raises InvalidArgument if the file cannot be read or has no curve.
    """
    try:
        return parse_report(Path(path).read_bytes(), Path(path).stem)
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be read: {error}") from error
    except InvalidArgument as error:
        raise InvalidArgument(f"{path} {error}") from error


def load_reports(paths: Iterable[str | os.PathLike[str]]) -> list[Report]:
    """Read files, and all JSON files in folders. Reports with equal names get their files' names.

    Raises InvalidArgument if there is no file, or if one cannot be read or has no curve.
    """
    files = [
        file
        for path in map(Path, paths)
        for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])
    ]
    if not files:
        raise InvalidArgument("there are no results to report: give JSON files or folders of them")
    reports = [load_report(file) for file in files]
    count = Counter(report.name for report in reports)
    return [
        replace(report, name=file.stem) if count[report.name] > 1 else report
        for report, file in zip(reports, files, strict=True)
    ]


def parse_report(text: bytes, name: str) -> Report:
    """Read the contents of a file in CompressAI's schema; `name` is used if it has no name.

    Raises InvalidArgument if it has no curve.
    """
    try:
        return _report(json.loads(text), name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidArgument(
            'has no curve: expected JSON with equally long lists results["bpp"] and '
            f'results["psnr-rgb"] ({type(error).__name__}: {error})'
        ) from error


def load_curve(path: str | os.PathLike[str], *, image: str | None = None) -> Curve:
    """Read PSNR over rate from a file in CompressAI's schema: of one image, or of the mean."""
    return load_report(path).curve(image)


def _report(document: Mapping[str, Any], name: str) -> Report:
    meta = document.get("meta") or {}
    results = {OLD_KEYS.get(key, key): values for key, values in document["results"].items()}
    rates = [float(bpp) for bpp in results["bpp"]]
    order = sorted(range(len(rates)), key=lambda i: rates[i])
    return Report(
        name=str(document.get("name") or name),
        description=str(document.get("description") or ""),
        results=_sorted(results, order),
        per_image={
            image: _sorted(series, order) for image, series in document.get("per_image", {}).items()
        },
        codec=meta.get("codec"),
        version=meta.get("version"),
        parameter=meta.get("parameter"),
        points=[meta["points"][i] for i in order] if "points" in meta else (),
        settings=meta.get("settings") or {},
        images=meta.get("images") or {},
    )


def _sorted(series: Mapping[str, Any], order: Sequence[int]) -> Series:
    """Return the series of numbers with their points in this order; infinity becomes None."""
    found = {key: _numbers(values, order) for key, values in series.items()}
    for key in ("bpp", "psnr-rgb"):
        if not found[key]:
            raise ValueError(f"{key} is not a list of {len(order)} numbers, at least one")
    return {key: values for key, values in found.items() if values}


def _numbers(values: Any, order: Sequence[int]) -> list[float | None]:
    """Return the numbers in this order, None if infinite; empty unless all points have one."""
    numbers = isinstance(values, list) and len(values) == len(order)
    if not numbers or not all(isinstance(v, int | float | None) for v in values):
        return []
    return [values[i] if values[i] is not None and isfinite(values[i]) else None for i in order]
