"""Sections that are stored beside the colours: alpha, ICC profile, EXIF and XMP."""

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
    """Data that a file carries unchanged beside the image; an attribute is None if it is absent.

    icc_profile: the profile's bytes. exif: as in a JPEG's segment, "Exif" and two zero bytes
    included. xmp: an XML packet.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None


def pack_alpha(alpha: npt.NDArray[Any]) -> bytes:
    """Return the payload of the alpha section, which is lossless; `read_alpha` is the inverse.

    alpha: (h, w), uint8 or uint16.
    """
    above = np.concatenate([np.zeros_like(alpha[:1]), alpha[:-1]])
    return zlib.compress((alpha - above).astype(alpha.dtype.newbyteorder(">")).tobytes(), 9)


def read_alpha(header: Header, payload: bytes) -> npt.NDArray[Any]:
    """Return the alpha samples (h, w), uint8 or uint16; inverse of `pack_alpha`.

    Raises CorruptBitstream unless the payload has exactly the header's number of samples.
    """
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
    """Raise InvalidArgument for metadata that a decoder with these limits would refuse."""
    for name, blob in vars(metadata).items():
        if blob is not None and not isinstance(blob, bytes):
            raise InvalidArgument(f"{name} is a {type(blob).__name__}, not bytes")
        if blob is not None and len(blob) > limits.max_metadata_bytes:
            raise InvalidArgument(
                f"{name} has {len(blob)} bytes, more than the {limits.max_metadata_bytes} that "
                "decoders accept: drop or shorten it"
            )


def pack_metadata(metadata: Metadata) -> dict[int, bytes]:
    """Return the payloads of the present metadata by section id; inverse of `read_metadata`."""
    blobs = {number: getattr(metadata, name) for name, number in bitstream.METADATA.items()}
    return {number: zlib.compress(blob, 9) for number, blob in blobs.items() if blob is not None}


def read_metadata(sections: dict[int, bytes], limits: Limits) -> Metadata:
    """Return ICC profile, EXIF and XMP of a file, byte for byte; inverse of `pack_metadata`.

    Raises CorruptBitstream if a section cannot be decompressed, LimitExceeded if one has more than
    `limits.max_metadata_bytes`.
    """
    return Metadata(
        **{
            name: inflate(sections[number], limits.max_metadata_bytes, name)
            for name, number in bitstream.METADATA.items()
            if number in sections
        }
    )
