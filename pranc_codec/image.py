"""Convert between users' images and the colours in [0, 1] that are encoded.

`load_picture` takes a path, a PIL image or an array and splits it into the colours that are encoded
(1 or 3 channels) and the data that the file carries unchanged (alpha, metadata). `to_samples` and
`to_pil` go the other way. EXIF orientation is neither applied nor removed.
"""

import os
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Shaped
from PIL import Image, ImageFile

from pranc_codec.errors import InvalidArgument
from pranc_codec.format.metadata import Metadata

ImageLike = Image.Image | npt.NDArray[Any] | str | os.PathLike[str]
MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
STARTS_PROGRAMS: Final = ("EPS", "WMF")
"""Formats whose pixels Pillow gets from another program: Ghostscript or Windows."""
LARGEST_SAMPLE: Final = {"uint8": 255, "uint16": 65535, "float32": 1}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image that is ready to be encoded.

    colours: in [0, 1], with 1 (grey) or 3 channels (RGB). alpha: unchanged samples, or None.
    samples: the type that the decoder returns: "uint8", "uint16" or "float32".
    """

    colours: Float[np.ndarray, "h w c"]
    alpha: Shaped[np.ndarray, "h w"] | None = None
    samples: str = "uint8"
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def mode(self) -> str:
        """Pillow's name for the channels: L, LA, RGB or RGBA."""
        return MODES[self.colours.shape[2] + (self.alpha is not None)]


def load_picture(image: ImageLike) -> Picture:
    """Read an image from a path, a PIL image or a NumPy array.

    Arrays are (h, w) or (h, w, 1 to 4), of uint8, uint16 or of floats in [0, 1]. Raises
    InvalidArgument for anything that cannot be encoded.
    """
    if isinstance(image, np.ndarray):
        return _from_array(image, Metadata())
    if isinstance(image, Image.Image):
        return _from_pil(image)
    if isinstance(image, (str, os.PathLike)):
        if not Path(image).is_file():
            raise InvalidArgument(f"{os.fspath(image)}: there is no such file")
        try:
            with Image.open(image) as opened:
                _refuse_programs(opened, os.fspath(image))
                return _from_pil(opened)
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise InvalidArgument(
                f"{os.fspath(image)}: this is not an image that Pillow can read: {error}"
            ) from error
    raise InvalidArgument(
        f"cannot encode a {type(image).__name__}: give a PIL image, a NumPy array or a path"
    )


def _refuse_programs(opened: ImageFile.ImageFile, name: str) -> None:
    """Refuse a format that Pillow hands to another program, whatever the file is called."""
    if opened.format in STARTS_PROGRAMS:
        raise InvalidArgument(
            f"{name}: an {opened.format} file is drawn by another program, which is not started "
            "here: convert the file first, or open it with Pillow and pass the image"
        )


def _from_pil(image: Image.Image) -> Picture:
    _warn_of_lost_bits(image)
    image.load()  # a PNG's metadata may follow its pixels
    metadata = Metadata(
        icc_profile=image.info.get("icc_profile"),
        exif=image.info.get("exif") or None,  # the block itself; tags of a TIFF are left out
        xmp=_as_bytes(image.info.get("xmp")),
    )
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "I;16N"):
        values = np.asarray(image)
        if not values.size:
            raise InvalidArgument(f"an image of {image.width}x{image.height} has no pixels")
        if values.min() < 0 or values.max() > 65535:
            raise InvalidArgument(
                f"the image has mode {image.mode} and values {values.min()} .. {values.max()}: "
                "only 0 .. 65535 can be encoded"
            )
        return _from_array(values.astype(np.uint16), metadata)
    if image.mode == "F":
        raise InvalidArgument(
            "an image of mode F has no fixed range: give a float NumPy array in [0, 1]"
        )
    if image.mode not in MODES.values():
        image = image.convert(_mode_for(image))
        metadata = replace(metadata, icc_profile=_profile_for(image, metadata.icc_profile))
    elif "transparency" in image.info:
        image = image.convert("LA" if image.mode == "L" else "RGBA")
    return _from_array(np.asarray(image), metadata)


def _warn_of_lost_bits(image: Image.Image) -> None:
    """Warn if Pillow reads 16-bit colour as 8 bits per sample. Call it before `image.load`."""
    kinds = [tile[3] for tile in getattr(image, "tile", ())]
    raw = {str(kind[0] if isinstance(kind, tuple) else kind) for kind in kinds}
    if not image.mode.startswith("I") and any(";16" in name for name in raw):
        warnings.warn(
            "Pillow reads 16-bit colour as 8 bits per sample: encode a uint16 array instead",
            stacklevel=4,
        )


def _profile_for(image: Image.Image, profile: bytes | None) -> bytes | None:
    """Return an ICC profile, or None if its channels are not those of the converted image."""
    wanted = b"GRAY" if image.mode in ("L", "LA") else b"RGB "
    return profile if profile and profile[16:20] == wanted else None


def _mode_for(image: Image.Image) -> str:
    """Return the mode (L, LA, RGB or RGBA) that an image of another mode converts to."""
    if image.mode == "1":
        return "L"
    if image.mode == "La":
        return "LA"
    return "RGBA" if image.has_transparency_data else "RGB"


def _as_bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _from_array(array: npt.NDArray[Any], metadata: Metadata) -> Picture:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in MODES or 0 in array.shape:
        raise InvalidArgument(
            f"an array of shape {array.shape} is not an image: give (h, w) or (h, w, 1 to 4)"
        )
    samples = "float32" if array.dtype.kind == "f" else array.dtype.name
    if samples not in LARGEST_SAMPLE:
        raise InvalidArgument(
            f"samples of type {array.dtype} cannot be encoded: give uint8, uint16 or floats "
            "in [0, 1]"
        )
    channels = array.shape[2]
    with_alpha = channels in (2, 4)
    if samples == "float32":
        if with_alpha:
            raise InvalidArgument("float samples with alpha are not supported: use uint16")
        if not (array.min() >= 0 and array.max() <= 1):
            raise InvalidArgument(
                f"the float samples are {array.min():g} .. {array.max():g}: scale them to 0 .. 1"
            )
    colours = array[:, :, : channels - with_alpha].astype(np.float32)
    return Picture(
        colours=colours / np.float32(LARGEST_SAMPLE[samples]),
        alpha=array[:, :, -1].copy() if with_alpha else None,
        samples=samples,
        metadata=metadata,
    )


def to_samples(colours: Float[np.ndarray, "h w c"], samples: str) -> Shaped[np.ndarray, "h w c"]:
    """Convert colours to a sample type: clip to [0, 1], scale, and round unless it is float32."""
    out = np.empty(colours.shape, samples)
    for row, own in zip(out, colours, strict=True):  # row by row, to save memory
        scaled = np.clip(own, 0, 1).astype(np.float32) * np.float32(LARGEST_SAMPLE[samples])
        row[:] = scaled if samples == "float32" else np.rint(scaled)
    return out


def to_pil(array: Shaped[np.ndarray, "h w *c"]) -> Image.Image:
    """Convert samples to a PIL image.

    Everything but 16-bit grey becomes 8-bit, because Pillow has no 16-bit colour.
    """
    if array.dtype == np.uint16:
        if array.ndim == 2:
            return Image.fromarray(array)
        array = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif array.dtype == np.float32:
        array = np.rint(array * 255).astype(np.uint8)
    return Image.fromarray(array)


def metadata_info(metadata: Metadata) -> dict[str, bytes]:
    """Return the metadata that is present, under Pillow's keys of `Image.info`."""
    return {name: blob for name, blob in vars(metadata).items() if blob is not None}
