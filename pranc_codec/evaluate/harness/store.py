"""One unit of work, its result, and the folder that keeps one JSON file a result.

A unit is named by what could change its result: the image's pixels, the codec, the codec's
version and the settings. Its file's name ends in a hash of these, so that a run that is started
again finds what is done, several machines may fill one folder, and nothing is measured twice.
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
    """One image at one point of one codec. `image_sha256` is of its RGB bytes, row by row."""

    path: Path
    image_sha256: str
    width: int
    height: int
    codec: Codec
    settings: Settings

    def key(self) -> dict[str, Any]:
        """All that the result depends on, apart from the machine."""
        return {
            "image_sha256": self.image_sha256,
            "width": self.width,
            "height": self.height,
            "codec": self.codec.name,
            "version": self.codec.version,
            "settings": {name: _canonical(value) for name, value in self.settings.items()},
        }

    def title(self) -> str:
        """For people: image, codec and the point, such as `kodim01-jpeg-quality=10`."""
        value = _canonical(self.settings[self.codec.parameter])
        return f"{self.path.stem}-{self.codec.name}-{self.codec.parameter}={value}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was measured for a unit, from the bytes of the file and from what they decode to.

    file_bytes counts all of the file; bpp = 8 * file_bytes / (width * height).
    psnr_db is infinite for equal images, and null in the JSON file, which knows no infinity.
    ssim, ms_ssim and ssimulacra2 are None (null) for images too small for them, ssimulacra2 also
    where its package is not installed (see `metrics`).
    encode_s and decode_s are wall-clock times after a warm-up.
    peak_memory_bytes is the largest resident set of the process while it encoded and decoded this
    unit, libraries included and an accelerator's memory not (see `memory`); None where the system
    does not tell.
    threads is the budget of the process that measured.
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
    """The folder of results: a local path, or any URL that fsspec reads (`s3://bucket/run`).

    Every file appears whole or not at all, and under the name of its unit.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Folder(folder)

    def read(self, units: Sequence[Unit], *, with_files: bool = False) -> dict[int, Result]:
        """Stored results by their unit's index; those that cannot be read are left out.

        with_files: leave out those whose encoded file was not kept.
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
        there = self.folder.names()
        return {i: result for i, result in results.items() if file_name(units[i]) in there}

    def write(self, unit: Unit, result: Result, data: bytes | None = None) -> None:
        """Store a result as strict JSON, after the encoded file if that shall be kept."""
        if data is not None:
            self.folder.write(file_name(unit), data)
        document = asdict(result)
        document["psnr_db"] = None if math.isinf(result.psnr_db) else result.psnr_db
        text = json.dumps(document, indent=1, allow_nan=False) + "\n"
        self.folder.write(result_name(unit), text.encode())


def result_name(unit: Unit) -> str:
    """The file of a unit's result: a readable name and 12 hex digits of the key's SHA-256."""
    key = json.dumps(unit.key(), sort_keys=True).encode()
    name = re.sub(r"[^\w.=+-]", "_", unit.title())
    return f"{name}-{hashlib.sha256(key).hexdigest()[:12]}.json"


def file_name(unit: Unit) -> str:
    """The unit's encoded file, if it is kept."""
    return result_name(unit).removesuffix(".json") + unit.codec.suffix


def _parse(text: bytes, unit: Unit) -> Result | None:
    """The unit's result; None if the text is broken or another unit's."""
    try:
        document = json.loads(text, parse_constant=_refuse)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    document.setdefault("ssimulacra2", None)  # results from before it was measured
    if not _is_result(document):
        return None
    if any(document[name] != value for name, value in unit.key().items()):
        return None
    if document["psnr_db"] is None:
        document["psnr_db"] = math.inf
    return Result(**document)


def _is_result(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object has exactly the fields of `Result`, and numbers where they belong."""
    return (
        set(document) == {field.name for field in fields(Result)}
        and all(isinstance(document[name], int | float) for name in NUMBERS)
        and all(isinstance(document[name], int | float | None) for name in NUMBERS_OR_NULL)
    )


def _canonical(value: Setting) -> Setting:
    """One spelling for equal numbers: 1.0 and 1 are the same point."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise InvalidArgument(f"a setting must be a finite number, got {value}")
    return int(value) if value.is_integer() else value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
