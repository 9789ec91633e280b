"""Plan the units of a run: every image at every point of every sweep."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.codecs.codec import Sweep
from pranc_codec.evaluate.harness.measure import load_rgb, pixels_sha256
from pranc_codec.evaluate.harness.store import Unit

AnyPath = str | os.PathLike[str]
IMAGE_SUFFIXES: Final = frozenset(
    {".png", ".ppm", ".bmp", ".tif", ".tiff", ".webp", ".jpg", ".jpeg"}
)


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """An image of the set: its absolute path, the SHA-256 of its RGB bytes, and its size."""

    path: Path
    sha256: str
    width: int
    height: int


def find_images(images: AnyPath | Sequence[AnyPath]) -> list[Path]:
    """Return the image files of a folder in the order of their names, or the given paths."""
    if isinstance(images, str | os.PathLike):
        folder = Path(images)
        if not folder.is_dir():
            raise InvalidArgument(f"{folder} is not a folder: give a folder or a list of files")
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    else:
        paths = [Path(path) for path in images]
    if not paths:
        raise InvalidArgument(
            f"no images in {images}: looked for {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    return paths


def read_records(paths: Sequence[Path]) -> list[ImageRecord]:
    """Read each image once, for its hash and size; raises if two hold the same pixels."""
    records = []
    seen: dict[tuple[str, int], Path] = {}
    for path in paths:
        image = load_rgb(path)
        sha256 = pixels_sha256(image)
        other = seen.setdefault((sha256, image.width), path)
        if other is not path:
            raise InvalidArgument(f"{other} and {path} hold the same pixels: leave one out")
        records.append(
            ImageRecord(path=path.absolute(), sha256=sha256, width=image.width, height=image.height)
        )
    return records


def check_sweep(sweep: Sweep) -> None:
    """Raise unless the points of a sweep are different and no setting fixes what they vary."""
    codec, points = sweep.codec, sweep.points
    if not points or len(set(points)) != len(points):
        raise InvalidArgument(
            f"{codec.name}: points must be different values of {codec.parameter}, at least one: "
            f"got {list(points)}"
        )
    if codec.parameter in sweep.settings:
        raise InvalidArgument(
            f"{codec.parameter!r} is in the settings, but it is what the points vary: take it out"
        )


def units_of(records: Sequence[ImageRecord], sweep: Sweep) -> list[Unit]:
    """Return one unit for every image and point, ordered by image, then point."""
    codec = sweep.codec
    return [
        Unit(
            path=record.path,
            image_sha256=record.sha256,
            width=record.width,
            height=record.height,
            codec=codec,
            settings={**codec.settings, **sweep.settings, codec.parameter: point},
        )
        for record in records
        for point in sweep.points
    ]
