"""An image codec as an evaluation sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8
from PIL import Image

Setting = str | int | float | bool | None
Settings = Mapping[str, Setting]


@dataclass(frozen=True, kw_only=True)
class Codec:
    """Pixels in, the bytes of a file out, and back.

    name: what results are filed under. version: everything about the implementation that could
    change a result, because results of equal versions are never measured twice.
    encode: (RGB image, settings) -> bytes. decode: bytes -> uint8 pixels (h, w, 3). Both are
    functions of a module (or `partial`s of such), because they travel to other processes.
    parameter: the setting that tells the points of a rate-distortion curve from each other;
    points: its values if nobody asks for others. settings: values of the other settings.
    warm_up: settings in place of the varied one when a 32x32 image is coded before the clock
    starts; if empty, it is coded with the very settings of the point.
    suffix: of kept files.
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
    """A codec over the points of one curve: values of its `parameter`, other settings fixed."""

    codec: Codec
    points: tuple[int | float, ...]
    settings: Settings = field(default_factory=dict)
