"""Units, their results, and the folder that holds one JSON file for each result.

A unit is identified by everything that could change its result: the pixels of the image, the
codec, its version, and the settings. The name of its file ends in a hash of these. Therefore a run
that is started again finds the finished units, and several machines may fill one folder without
measuring anything twice.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.codecs.codec import Codec, Setting, Settings
from pranc_codec.evaluate.harness.folder import Folder


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One image at one point of one codec. `image_sha256` is the SHA-256 of its RGB bytes."""

    path: Path
    image_sha256: str
    width: int
    height: int
    codec: Codec
    settings: Settings

    def key(self) -> dict[str, Any]:
        """Return everything that the result depends on, except for the machine."""
        return {
            "image_sha256": self.image_sha256,
            "width": self.width,
            "height": self.height,
            "codec": self.codec.name,
            "version": self.codec.version,
            "settings": {name: _canonical(value) for name, value in self.settings.items()},
        }

    def title(self) -> str:
        """Return a readable name with image, codec and point: `kodim01-jpeg-quality=10`."""
        value = _canonical(self.settings[self.codec.parameter])
        return f"{self.path.stem}-{self.codec.name}-{self.codec.parameter}={value}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """The measurements of one unit, taken from the bytes of the file and from the decoded pixels.

    file_bytes counts the whole file, and bpp = 8 * file_bytes / (width * height).
    psnr_db is infinite for equal images; the JSON file then has null, because JSON has no infinity.
    ssim, ms_ssim and ssimulacra2 are None (null) for images that are too small for them, and
    ssimulacra2 also if its package is not installed (see `metrics`).
    encode_s and decode_s are wall-clock times after a warm-up.
    peak_memory_bytes is the largest resident set size of the process while it encoded and decoded
    this unit. It includes libraries but no memory of an accelerator (see `memory`), and is None if
    the system cannot tell.
    threads is the thread budget of the process that measured.
    """

    image: str
    image_sha256: str
    width: int
    height: int
    codec: str
    version: str
    parameter: str
    settings: dict[str, Setting]
    file_bytes: int
    bpp: float
    psnr_db: float
    ssim: float | None
    ms_ssim: float | None
    ssimulacra2: float | None
    encode_s: float
    decode_s: float
    peak_memory_bytes: int | None
    threads: int
    device: str


NUMBERS: Final = ("file_bytes", "bpp", "encode_s", "decode_s", "threads")
NUMBERS_OR_NULL: Final = ("psnr_db", "ssim", "ms_ssim", "ssimulacra2", "peak_memory_bytes")


class Store:
    """The folder of results: a local path or any URL that fsspec supports (`s3://bucket/run`).

    Every file is named after its unit, and is complete or absent at any time.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Folder(folder)

    def read(self, units: Sequence[Unit], *, with_files: bool = False) -> dict[int, Result]:
        """Return the stored results by the index of their unit, without unreadable ones.

        with_files: omit results whose encoded file is not stored, too.
        """
        names = [result_name(unit) for unit in units]
        found = self.folder.read(names)
        results = {
            index: result
            for index, (unit, name) in enumerate(zip(units, names, strict=True))
            if name in found and (result := _parse(found[name], unit))
        }
        if not with_files:
            return results
        present = self.folder.names()
        return {i: result for i, result in results.items() if file_name(units[i]) in present}

    def write(self, unit: Unit, result: Result, data: bytes | None = None) -> None:
        """Store a result as strict JSON; if `data` is given, the encoded file is stored first."""
        if data is not None:
            self.folder.write(file_name(unit), data)
        document = asdict(result)
        document["psnr_db"] = None if math.isinf(result.psnr_db) else result.psnr_db
        text = json.dumps(document, indent=1, allow_nan=False) + "\n"
        self.folder.write(result_name(unit), text.encode())


def result_name(unit: Unit) -> str:
    """Return the name of a result's file: the unit's title and 12 digits of the key's SHA-256."""
    key = json.dumps(unit.key(), sort_keys=True).encode()
    name = re.sub(r"[^\w.=+-]", "_", unit.title())
    return f"{name}-{hashlib.sha256(key).hexdigest()[:12]}.json"


def file_name(unit: Unit) -> str:
    """Return the name of a unit's encoded file."""
    return result_name(unit).removesuffix(".json") + unit.codec.suffix


def _parse(text: bytes, unit: Unit) -> Result | None:
    """Read the unit's result; None if the text is damaged or belongs to another unit."""
    try:
        document = json.loads(text, parse_constant=_refuse)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    document.setdefault("ssimulacra2", None)  # absent in older results
    if not _is_result(document):
        return None
    if any(document[name] != value for name, value in unit.key().items()):
        return None
    if document["psnr_db"] is None:
        document["psnr_db"] = math.inf
    return Result(**document)


def _is_result(document: Mapping[str, Any]) -> bool:
    """Return whether an object has exactly the fields of `Result`, with numbers where needed."""
    return (
        set(document) == {field.name for field in fields(Result)}
        and all(isinstance(document[name], int | float) for name in NUMBERS)
        and all(isinstance(document[name], int | float | None) for name in NUMBERS_OR_NULL)
    )


def _canonical(value: Setting) -> Setting:
    """Return one spelling for equal numbers, so that 1.0 and 1 are the same point."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise InvalidArgument(f"a setting must be a finite number, got {value}")
    return int(value) if value.is_integer() else value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
