"""Classical codecs to compare with, from Pillow and, for JPEG XL, from imagecodecs.

Every `encode_*` function checks its settings and raises InvalidArgument for an unknown setting or a
value outside its range, because a mistyped setting must not result in a curve. Default values are
in the `settings` of each codec, and therefore in every result.
"""

import io
from functools import partial
from typing import Any, Final

import numpy as np
import PIL
from jaxtyping import UInt8
from PIL import Image, features

from pranc_codec.errors import InvalidArgument, PrancError
from pranc_codec.evaluate.codecs.codec import Codec, Settings
from pranc_codec.evaluate.threads import thread_budget

SettingRange = tuple[float, float] | range
"""The range of a number, or of an integer."""
JPEG_POINTS: Final = (2, 4, 6, 8, 10, 15, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95)


def encode_jpeg(image: Image.Image, settings: Settings, *, subsampling: str) -> bytes:
    """Encode as progressive JPEG with optimized Huffman tables. Setting: `quality` 1..100."""
    quality = _checked("jpeg", settings, quality=range(1, 101))["quality"]
    return _save(
        image, "JPEG", quality=quality, subsampling=subsampling, optimize=True, progressive=True
    )


def jpeg(subsampling: str) -> Codec:
    """Return JPEG, as libjpeg-turbo encodes it, with chroma `subsampling` such as "4:2:0"."""
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
    """Encode as lossy JPEG 2000 (9/7 wavelet, ICT). Setting: `ratio` of RGB bytes to file bytes."""
    ratio = _checked("jpeg2000", settings, ratio=(1.0, 10_000.0))["ratio"]
    return _save(
        image, "JPEG2000", quality_mode="rates", quality_layers=[ratio], irreversible=True, mct=1
    )


def jpeg2000() -> Codec:
    """Return JPEG 2000, as OpenJPEG encodes it."""
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
    """Encode as lossy WebP. Settings: `quality` 0..100, `method` 0..6 (slowest)."""
    values = _checked("webp", settings, quality=range(101), method=range(7))
    return _save(image, "WEBP", **values)


def webp() -> Codec:
    """Return WebP, as libwebp encodes it with its slowest method."""
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
    """Encode as AVIF. Settings: `quality` 0..100, `speed` 0 (slowest) .. 10.

    It is encoded in one thread without tiles, because the bytes depend on the number of both.
    """
    values = _checked("avif", settings, quality=range(101), speed=range(11))
    return _save(image, "AVIF", subsampling=subsampling, max_threads=1, autotiling=False, **values)


def avif(subsampling: str) -> Codec:
    """Return AVIF, as libavif and libaom encode it, with chroma `subsampling`."""
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
    """Encode as lossy JPEG XL. Settings: `distance` 0.05..25 (Butteraugli), `effort` 1..10."""
    values = _checked("jpegxl", settings, distance=(0.05, 25.0), effort=range(1, 11))
    data = _imagecodecs().jpegxl_encode(np.asarray(image), numthreads=thread_budget(), **values)
    return bytes(data)


def decode_jpegxl(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Decode a JPEG XL codestream."""
    pixels: np.ndarray = _imagecodecs().jpegxl_decode(data, numthreads=thread_budget())
    return pixels


def jpegxl() -> Codec:
    """Return JPEG XL, as libjxl encodes it, as a bare codestream."""
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
    """Decode a file in any format that Pillow reads."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def _checked(codec: str, settings: Settings, **ranges: SettingRange) -> dict[str, int | float]:
    """Return the settings as numbers; raise unless exactly those named are present and in range."""
    values = {name: _number_in(ranges[name], settings.get(name)) for name in ranges}
    unknown = sorted(set(settings) - set(ranges))
    if unknown or None in values.values():
        known = ", ".join(f"{name} {_range_text(allowed)}" for name, allowed in ranges.items())
        raise InvalidArgument(f"{codec} takes {known}: got {dict(settings)}")
    return {name: value for name, value in values.items() if value is not None}


def _number_in(allowed: SettingRange, value: object) -> int | float | None:
    """Return the value as a number; None if it is not a number in the range."""
    if not isinstance(value, int | float):
        return None
    if isinstance(allowed, range):
        return int(value) if value in allowed else None
    return value if allowed[0] <= value <= allowed[1] else None


def _range_text(allowed: SettingRange) -> str:
    whole = isinstance(allowed, range)
    low, high = (allowed[0], allowed[-1]) if whole else allowed
    return f"({'a whole number' if whole else 'a number'} in {low:g}..{high:g})"


def _pillow() -> str:
    return f"Pillow {PIL.__version__}"


def _imagecodecs() -> Any:
    try:
        import imagecodecs
    except ImportError as error:
        raise PrancError(
            f"{error}: JPEG XL needs pip install 'pranc-codec[jpegxl]' (imagecodecs)"
        ) from error
    return imagecodecs
