"""The interface between an image codec and an evaluation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8
from PIL import Image

Setting = str | int | float | bool | None
Settings = Mapping[str, Setting]


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A pair of functions that turn an image into the bytes of a file and back.

    name: the name under which results are stored. version: everything about the implementation that
    could change a result, because a stored result of the same version is not measured again.
    encode: (RGB image, settings) -> bytes. decode: bytes -> uint8 pixels (h, w, 3). Both must be
    functions of a module (or `partial`s of such functions), because worker processes import them.
    parameter: the setting that differs between the points of a rate-distortion curve.
    points: its default values. settings: default values of the other settings.
    warm_up: settings that replace the varied one when a 32x32 image is encoded before the clock
    starts; if empty, that image is encoded with the settings of the point.
    suffix: file name suffix of stored encoded files.
    """

    name: str
    version: str
    encode: Callable[[Image.Image, Settings], bytes]
    decode: Callable[[bytes], UInt8[np.ndarray, "h w 3"]]
    parameter: str = "quality"
    points: tuple[int | float, ...] = ()
    settings: Settings = field(default_factory=dict)
    warm_up: Settings = field(default_factory=dict)
    suffix: str = ".bin"


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The points of one curve of a codec: values of its `parameter`, with other settings fixed."""

    codec: Codec
    points: tuple[int | float, ...]
    settings: Settings = field(default_factory=dict)
