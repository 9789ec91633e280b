"""The codecs that an evaluation knows, behind one pair of functions each.

To add a codec to this list, write its pair of module-level functions (they travel to fresh
processes by name) and enter a function that makes its `Codec` into `KNOWN`. For an evaluation of
your own a `Codec` need not be listed: hand it to `evaluate` directly.
"""

import importlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from types import ModuleType
from typing import Final

import numpy as np
import PIL
from jaxtyping import UInt8
from PIL import Image, features

from pranc_codec.errors import InvalidArgument

Setting = str | int | float | bool | None
Settings = Mapping[str, Setting]


@dataclass(frozen=True, kw_only=True)
class Codec:
    """An image codec as an evaluation sees it: pixels in, the bytes of a file out, and back.

    name: what results are filed under. version: everything about the implementation that could
    change a result, because results of equal versions are never measured twice.
    encode: (RGB image, settings) -> bytes. decode: bytes -> uint8 pixels (h, w, 3).
    parameter: the setting that tells the points of a rate-distortion curve from each other.
    warm_up: settings with which a 32x32 image is coded once before the clock starts.
    suffix: of kept files.
    """

    name: str
    version: str
    encode: Callable[[Image.Image, Settings], bytes]
    decode: Callable[[bytes], UInt8[np.ndarray, "h w 3"]]
    parameter: str
    warm_up: Settings
    suffix: str = ".bin"


def find_codec(name: str, *, parameter: str | None = None) -> Codec:
    """The codec of this name; `parameter` varies another of its settings ("psnr" for "bpp")."""
    if name not in KNOWN:
        raise InvalidArgument(f"no codec is called {name!r}: known are {', '.join(sorted(KNOWN))}")
    codec = KNOWN[name]()
    return replace(codec, parameter=parameter) if parameter else codec


def _quality(codec: str, settings: Settings) -> int:
    """The one setting of the codecs that Pillow has: `quality`, 1..100."""
    unknown = sorted(set(settings) - {"quality"})
    quality = settings.get("quality")
    if unknown or not isinstance(quality, int | float) or quality not in range(1, 101):
        raise InvalidArgument(
            f"{codec} takes one setting, quality, a whole number in 1..100: got {dict(settings)}"
        )
    return int(quality)


def encode_avif(image: Image.Image, settings: Settings, *, subsampling: str) -> bytes:
    """AVIF at speed 4. Setting: `quality`, 1..100."""
    file = io.BytesIO()
    quality = _quality("avif", settings)
    image.save(file, format="AVIF", quality=quality, subsampling=subsampling, speed=4)
    return file.getvalue()


def encode_jpeg(image: Image.Image, settings: Settings, *, subsampling: str) -> bytes:
    """JPEG with optimized Huffman tables, progressive. Setting: `quality`, 1..100."""
    file = io.BytesIO()
    image.save(
        file,
        format="JPEG",
        quality=_quality("jpeg", settings),
        subsampling=subsampling,
        optimize=True,
        progressive=True,
    )
    return file.getvalue()


def decode_with_pillow(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of any file that Pillow reads; inverse of `encode_jpeg` up to its loss."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def encode_pranc(image: Image.Image, settings: Settings, *, profile: str) -> bytes:
    """`pranc_codec.encode` with these settings as its keyword arguments."""
    data: bytes = _public().encode(image, profile=profile, **settings)
    return data


def decode_pranc(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """`pranc_codec.decode_array`; inverse of `encode_pranc` up to its loss."""
    pixels: np.ndarray = _public().decode_array(data)
    return pixels


def _public() -> ModuleType:
    """The package's public names, imported late because they stand above this module."""
    return importlib.import_module("pranc_codec")


def _jpeg(name: str, subsampling: str) -> Codec:
    library = features.version("libjpeg_turbo") or features.version("jpg")
    return Codec(
        name=name,
        version=f"{subsampling}, optimized, progressive; Pillow {PIL.__version__}, "
        f"libjpeg-turbo {library}",
        encode=partial(encode_jpeg, subsampling=subsampling),
        decode=decode_with_pillow,
        parameter="quality",
        warm_up={"quality": 75},
        suffix=".jpg",
    )


def _avif(name: str, subsampling: str) -> Codec:
    return Codec(
        name=name,
        version=f"{subsampling}, speed 4; Pillow {PIL.__version__}, "
        f"libavif {features.version('avif')}",
        encode=partial(encode_avif, subsampling=subsampling),
        decode=decode_with_pillow,
        parameter="quality",
        warm_up={"quality": 75},
        suffix=".avif",
    )


def _pranc(name: str, profile: str) -> Codec:
    try:
        version = version_of("pranc-codec")
    except PackageNotFoundError as error:
        raise InvalidArgument(
            f"{name} has no version, because the package pranc-codec is not installed: "
            "run 'pip install -e .' in its source tree"
        ) from error
    return Codec(
        name=name,
        version=version,
        encode=partial(encode_pranc, profile=profile),
        decode=decode_pranc,
        parameter="bpp",
        warm_up={"quality": 50, "effort": 0},
        suffix=".pranc",
    )


KNOWN: Final[dict[str, Callable[[], Codec]]] = {
    "avif444": partial(_avif, "avif444", "4:4:4"),
    "jpeg": partial(_jpeg, "jpeg", "4:2:0"),
    "jpeg444": partial(_jpeg, "jpeg444", "4:4:4"),
    "pranc-grid": partial(_pranc, "pranc-grid", "grid"),
    "pranc-mlp": partial(_pranc, "pranc-mlp", "mlp"),
}
