"""What travels beside the colours: alpha, ICC profile, EXIF, XMP."""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pranc_codec.errors import CorruptBitstream, InvalidArgument, LimitExceeded
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.format.sections import inflate
from pranc_codec.limits import Limits


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """Blobs that travel with an image, byte for byte; None where there is none."""

    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None


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
