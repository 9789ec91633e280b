"""What travels beside the colours: alpha, ICC profile, EXIF, XMP."""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pranc_codec import bitstream
from pranc_codec.bitstream import Header
from pranc_codec.errors import CorruptBitstream, InvalidArgument, LimitExceeded
from pranc_codec.image import Metadata
from pranc_codec.limits import Limits
from pranc_codec.sections import inflate

Size = tuple[int, int]
Region = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class View:
    """What of an image is to be shown.

    size: (width, height) it is rendered at. region: (left, top, right, bottom) in pixels of that
    size. levels: of the wavelet, that are used at most. reduce: halvings of the image's own size.
    prefix: whether the file may be cut off behind what the view needs.
    """

    size: Size
    region: Region
    levels: int | None = None
    reduce: int = 0
    prefix: bool = False


def pack_alpha(alpha: npt.NDArray[Any]) -> bytes:
    """Alpha losslessly: differences to the row above, then zlib; `read_alpha` is the inverse."""
    above = np.concatenate([np.zeros_like(alpha[:1]), alpha[:-1]])
    return zlib.compress((alpha - above).astype(alpha.dtype.newbyteorder(">")).tobytes(), 9)


def read_alpha(header: Header, payload: bytes) -> npt.NDArray[Any]:
    """Alpha samples (h, w), uint8 or uint16."""
    kind = np.dtype(header.samples)
    expected = header.pixels * kind.itemsize
    try:
        raw = inflate(payload, expected, "alpha")
    except LimitExceeded as error:
        raise CorruptBitstream(f"alpha has more than {expected} bytes") from error
    if len(raw) != expected:
        raise CorruptBitstream(f"alpha has {len(raw)} bytes instead of {expected}")
    rows = np.frombuffer(raw, kind.newbyteorder(">")).reshape(header.height, header.width)
    return np.cumsum(rows, axis=0, dtype=kind)


def check_metadata(metadata: Metadata, limits: Limits) -> None:
    """Refuse what decoders would refuse."""
    for name, blob in vars(metadata).items():
        if blob is not None and not isinstance(blob, bytes):
            raise InvalidArgument(f"{name} is a {type(blob).__name__}, not bytes")
        if blob is not None and len(blob) > limits.max_metadata_bytes:
            raise InvalidArgument(
                f"{name} has {len(blob)} bytes, more than the {limits.max_metadata_bytes} that "
                "decoders accept: drop or shorten it"
            )


def pack_metadata(metadata: Metadata) -> dict[int, bytes]:
    """Sections of what metadata there is; `read_metadata` is the inverse."""
    blobs = {number: getattr(metadata, name) for name, number in bitstream.METADATA.items()}
    return {number: zlib.compress(blob, 9) for number, blob in blobs.items() if blob is not None}


def read_metadata(sections: dict[int, bytes], limits: Limits) -> Metadata:
    """ICC profile, EXIF and XMP, byte for byte."""
    return Metadata(
        **{
            name: inflate(sections[number], limits.max_metadata_bytes, name)
            for name, number in bitstream.METADATA.items()
            if number in sections
        }
    )


def metadata_info(metadata: Metadata) -> dict[str, bytes]:
    """Metadata under Pillow's keys of `Image.info`."""
    return {name: blob for name, blob in vars(metadata).items() if blob is not None}


def alpha_window(
    alpha: npt.NDArray[Any], own: Size, size: Size, region: Region
) -> npt.NDArray[Any]:
    """Alpha of a window: a crop, or resampled (bicubic) from the part that it shows."""
    left, top, right, bottom = region
    return alpha[top:bottom, left:right] if size == own else window_of(alpha, size, region)


def window_of(plane: npt.NDArray[Any], size: Size, region: Region) -> npt.NDArray[Any]:
    """A window of a plane (h, w) resampled to `size` (bicubic), from the part that it shows."""
    left, top, right, bottom = region
    across, down = plane.shape[1] / size[0], plane.shape[0] / size[1]
    box = (left * across, top * down, right * across, bottom * down)
    shape = (right - left, bottom - top)
    return np.asarray(Image.fromarray(plane).resize(shape, Image.Resampling.BICUBIC, box=box))
