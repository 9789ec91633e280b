"""The codecs that everyone compares with, from Pillow and, for JPEG XL, from imagecodecs.

Every `encode_*` checks its settings: a typing error must not become a curve. What a setting is if
nobody says so stands in its codec's `settings`, and thus in every result.
"""

import io
import os
from functools import partial
from typing import Any, Final

import numpy as np
import PIL
from jaxtyping import UInt8
from PIL import Image, features

from pranc_codec.errors import InvalidArgument, PrancError
from pranc_codec.evaluate.codecs.codec import Codec, Settings

Limits = tuple[float, float] | range  # of a number, or of a whole number
JPEG_POINTS: Final = (2, 4, 6, 8, 10, 15, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95)


def encode_jpeg(image: Image.Image, settings: Settings, *, subsampling: str) -> bytes:
    """JPEG with optimized Huffman tables, progressive. Setting: `quality`, 1..100."""
    quality = _checked("jpeg", settings, quality=range(1, 101))["quality"]
    return _save(
        image, "JPEG", quality=quality, subsampling=subsampling, optimize=True, progressive=True
    )


def jpeg(subsampling: str) -> Codec:
    """JPEG by libjpeg-turbo."""
    library = features.version("libjpeg_turbo") or features.version("jpg")
    return Codec(
        name=f"jpeg-{subsampling.replace(':', '')}",
        version=f"{subsampling}, optimized, progressive; {_pillow()}, libjpeg-turbo {library}",
        encode=partial(encode_jpeg, subsampling=subsampling),
        decode=decode_with_pillow,
        points=JPEG_POINTS,
        suffix=".jpg",
    )


def encode_jpeg2000(image: Image.Image, settings: Settings) -> bytes:
    """JPEG 2000, lossy (9/7 wavelet, ICT). Setting: `ratio`, the bytes of RGB over the file's."""
    ratio = _checked("jpeg2000", settings, ratio=(1.0, 10_000.0))["ratio"]
    return _save(
        image, "JPEG2000", quality_mode="rates", quality_layers=[ratio], irreversible=True, mct=1
    )


def jpeg2000() -> Codec:
    """JPEG 2000 by OpenJPEG."""
    return Codec(
        name="jpeg2000",
        version=f"9/7, ICT, one layer, JP2; {_pillow()}, OpenJPEG {features.version('jpg_2000')}",
        encode=encode_jpeg2000,
        decode=decode_with_pillow,
        parameter="ratio",
        points=(240, 160, 120, 80, 60, 45, 32, 24, 18, 14, 11, 8),
        suffix=".jp2",
    )


def encode_webp(image: Image.Image, settings: Settings) -> bytes:
    """WebP, lossy. Settings: `quality` 0..100, `method` 0..6."""
    values = _checked("webp", settings, quality=range(101), method=range(7))
    return _save(image, "WEBP", **values)


def webp() -> Codec:
    """WebP by libwebp, at its slowest method."""
    return Codec(
        name="webp",
        version=f"lossy; {_pillow()}, libwebp {features.version('webp')}",
        encode=encode_webp,
        decode=decode_with_pillow,
        points=(1, 5, 10, 20, 30, 45, 60, 75, 82, 88, 92, 95, 98),
        settings={"method": 6},
        suffix=".webp",
    )


def encode_avif(image: Image.Image, settings: Settings, *, subsampling: str) -> bytes:
    """AVIF. Settings: `quality` 0..100, `speed` 0 (slowest) .. 10.

    In one thread and no tiles, because its bytes depend on the number of both.
    """
    values = _checked("avif", settings, quality=range(101), speed=range(11))
    return _save(image, "AVIF", subsampling=subsampling, max_threads=1, autotiling=False, **values)


def avif(subsampling: str) -> Codec:
    """AVIF by libavif and libaom."""
    return Codec(
        name=f"avif-{subsampling.replace(':', '')}",
        version=f"{subsampling}, one thread, no tiles; {_pillow()}, "
        f"libavif {features.version('avif')}",
        encode=partial(encode_avif, subsampling=subsampling),
        decode=decode_with_pillow,
        points=(5, 12, 25, 38, 50, 62, 75, 85, 92, 96),
        settings={"speed": 4},
        suffix=".avif",
    )


def encode_jpegxl(image: Image.Image, settings: Settings) -> bytes:
    """JPEG XL, lossy. Settings: `distance` 0.05..25 (Butteraugli), `effort` 1..10."""
    values = _checked("jpegxl", settings, distance=(0.05, 25.0), effort=range(1, 11))
    data = _imagecodecs().jpegxl_encode(np.asarray(image), numthreads=_threads(), **values)
    return bytes(data)


def decode_jpegxl(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Inverse of `encode_jpegxl` up to its loss."""
    pixels: np.ndarray = _imagecodecs().jpegxl_decode(data, numthreads=_threads())
    return pixels


def jpegxl() -> Codec:
    """JPEG XL by libjxl, a bare codestream."""
    library = _imagecodecs()
    return Codec(
        name="jpegxl",
        version=f"VarDCT; imagecodecs {library.__version__}, {library.jpegxl_version()}",
        encode=encode_jpegxl,
        decode=decode_jpegxl,
        parameter="distance",
        points=(15, 11, 8, 6, 4.5, 3.4, 2.5, 1.8, 1.3, 0.9, 0.6, 0.4),
        settings={"effort": 7},
        suffix=".jxl",
    )


def decode_with_pillow(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of any file that Pillow reads."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def _checked(codec: str, settings: Settings, **limits: Limits) -> dict[str, int | float]:
    """The settings as numbers; raises unless they are just those named, within their limits."""
    values = {name: _within(limits[name], settings.get(name)) for name in limits}
    unknown = sorted(set(settings) - set(limits))
    if unknown or None in values.values():
        known = ", ".join(f"{name} {_shown(limit)}" for name, limit in limits.items())
        raise InvalidArgument(f"{codec} takes {known}: got {dict(settings)}")
    return {name: value for name, value in values.items() if value is not None}


def _within(limits: Limits, value: object) -> int | float | None:
    if not isinstance(value, int | float):
        return None
    if isinstance(limits, range):
        return int(value) if value in limits else None
    return value if limits[0] <= value <= limits[1] else None


def _shown(limits: Limits) -> str:
    whole = isinstance(limits, range)
    low, high = (limits[0], limits[-1]) if whole else limits
    return f"({'a whole number' if whole else 'a number'} in {low:g}..{high:g})"


def _pillow() -> str:
    return f"Pillow {PIL.__version__}"


def _threads() -> int:
    """The thread budget of this process, which libraries of their own threads must be told."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def _imagecodecs() -> Any:
    try:
        import imagecodecs
    except ImportError as error:
        raise PrancError(
            f"{error}: JPEG XL needs pip install 'pranc-codec[jpegxl]' (imagecodecs)"
        ) from error
    return imagecodecs
