"""The codecs that an evaluation finds by name.

A codec is a pair of functions. Ten lines add a new one:

    # palette_codec.py
    import io
    import numpy as np
    from PIL import Image
    from pranc_codec.evaluate import Codec

    def encode(image, settings):  # a PIL image (RGB) and {"colours": 16} -> the bytes of a file
        file = io.BytesIO()
        image.quantize(settings["colours"]).save(file, "PNG")
        return file.getvalue()

    def decode(data):  # those bytes -> uint8 pixels (h, w, 3)
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    CODEC = Codec(name="palette", version="Pillow 13", encode=encode, decode=decode,
                  parameter="colours", points=(4, 16, 64, 256))

Pass this object to `evaluate`. To use it as `pranc evaluate --codec palette`, declare an entry
point in the package that contains it:

    [project.entry-points."pranc_codec.codecs"]
    palette = "palette_codec:CODEC"
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import entry_points
from typing import Any, Final

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.codecs.classical import avif, jpeg, jpeg2000, jpegxl, webp
from pranc_codec.evaluate.codecs.codec import Codec, Setting, Sweep
from pranc_codec.evaluate.codecs.ours import pranc

ENTRY_POINTS: Final = "pranc_codec.codecs"
BUILT_IN: Final[dict[str, Callable[[], Codec]]] = {
    "avif": partial(avif, "4:2:0"),
    "avif-420": partial(avif, "4:2:0"),
    "avif-444": partial(avif, "4:4:4"),
    "jpeg": partial(jpeg, "4:2:0"),
    "jpeg-420": partial(jpeg, "4:2:0"),
    "jpeg-444": partial(jpeg, "4:4:4"),
    "jpeg2000": jpeg2000,
    "jpegxl": jpegxl,
    "pranc-grid": partial(pranc, "grid"),
    "pranc-mlp": partial(pranc, "mlp"),
    "webp": webp,
}


def codec_names() -> list[str]:
    """Return the names of all codecs that `find_codec` knows, sorted."""
    return sorted({*BUILT_IN, *(point.name for point in _announced())})


def find_codec(name: str, *, parameter: str | None = None) -> Codec:
    """Return the codec of this name, which is built in or comes from an installed package.

    parameter: the setting that the points vary, if it is not the codec's own: "psnr" instead of
    "bpp", for example. Raises InvalidArgument if there is no such codec.
    """
    codec = BUILT_IN[name]() if name in BUILT_IN else _load(name)
    if parameter in (None, codec.parameter):
        return codec
    others = {key: value for key, value in codec.settings.items() if key != parameter}
    return replace(codec, parameter=parameter, points=(), settings=others)


def parse_sweep(text: str) -> Sweep:
    """Read `NAME[:KEY=VALUE,...]`, in which one key may have several values: `20/40/60`.

    The points of the curve are the values of that key; without one they are the codec's own points.
    Raises InvalidArgument for an unknown codec or for text of another form.
    """
    name, _, listed = text.partition(":")
    settings: dict[str, Setting] = {}
    varied: dict[str, tuple[int | float, ...]] = {}
    for pair in filter(None, listed.split(",")):
        key, equals, value = pair.partition("=")
        if not equals or key in settings or key in varied:
            raise InvalidArgument(f"{text!r}: expected NAME:KEY=VALUE,... with different keys")
        if "/" in value:
            varied[key] = tuple(_number(each, text) for each in value.split("/"))
        else:
            settings[key] = _setting(value)
    if len(varied) > 1:
        raise InvalidArgument(f"{text!r} varies {' and '.join(varied)}: a curve varies one setting")
    codec = find_codec(name, parameter=next(iter(varied), None))
    points = varied.get(codec.parameter, codec.points)
    if codec.parameter in settings:
        points = (_number(str(settings.pop(codec.parameter)), text),)
    return Sweep(codec=codec, points=points, settings=settings)


def _announced() -> list[Any]:
    """Return the entry points of codecs in installed packages.

    Their class is another one once the package importlib_metadata has been imported.
    """
    return list(entry_points(group=ENTRY_POINTS))


def _load(name: str) -> Codec:
    points = [point for point in _announced() if point.name == name]
    if not points:
        raise InvalidArgument(f"no codec is called {name!r}: known are {', '.join(codec_names())}")
    codec = points[0].load()
    codec = codec if isinstance(codec, Codec) else codec()
    if not isinstance(codec, Codec):
        raise InvalidArgument(
            f"codec {name!r} is announced as {points[0].value}, which is a "
            f"{type(codec).__name__}: expected a Codec, or a function that returns one"
        )
    return codec


def _number(text: str, whole: str) -> int | float:
    value = _setting(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgument(f"{whole!r}: {text!r} is not a number")
    return value


def _setting(text: str) -> Setting:
    """Return an integer, another number, or the text itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
