"""Decode the bytes of a file to the pixels of an image."""

from typing import Final

import numpy as np
import torch
from jaxtyping import Shaped
from PIL import Image

from pranc_codec.device import device_of
from pranc_codec.errors import InvalidArgument, TruncatedBitstream
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.format.metadata import Metadata, read_alpha, read_metadata
from pranc_codec.format.sections import unpack_prefix, unpack_sections
from pranc_codec.grid.profile import GridDecoder
from pranc_codec.image import metadata_info, to_pil, to_samples
from pranc_codec.limits import DEFAULT_LIMITS, Limits, refuse
from pranc_codec.mlp.profile import MlpDecoder
from pranc_codec.precision import float32_everywhere
from pranc_codec.profile import DecoderProfile
from pranc_codec.view import Region, Size, View, alpha_window

PROFILES: Final[dict[str, DecoderProfile]] = {"mlp": MlpDecoder(), "grid": GridDecoder()}


def profile_of(header: Header) -> DecoderProfile:
    """Return the decoder of the profile that a header states."""
    return PROFILES[header.profile]


def decode(
    data: bytes,
    *,
    device: torch.device | str | None = None,
    size: Size | None = None,
    region: Region | None = None,
    levels: int | None = None,
    reduce: int = 0,
    limits: Limits = DEFAULT_LIMITS,
) -> Image.Image:
    """Decode a file to a PIL image, with ICC profile, EXIF and XMP in `info`.

    size: (width, height) to render at, instead of the image's own. In the mlp profile the network
        is evaluated at these pixels and nothing is resampled. In the grid profile the decoded image
        is resampled (bicubic), as alpha is in both profiles.
    region: (left, top, right, bottom), in pixels of that size. Only these pixels are computed
        (mlp), or synthesized (grid, at its own size).
    reduce: show the image at 1/2 (1), 1/4 (2) ... of its own size, rounded up.
    levels: use only the N coarsest wavelet levels of a grid file, which makes a softer picture.
    limits: bounds on the pixels, weights, multiplications and bytes that the file may ask for.

    16-bit colour and float samples become 8-bit samples, because Pillow has no others: use
    `decode_array` to get them as they were encoded.

    With `reduce` or `levels`, `data` may be a prefix of a grid file without alpha, if it is long
    enough (`Analysis.prefix_bytes`). Then ICC profile, EXIF and XMP are missing, and damaged
    latents may decode to a wrong picture without an error, because the checksum can only be
    verified for all latents together.

    Raises BitstreamError for bytes that cannot be decoded, and LimitExceeded (a BitstreamError) if
    the file asks for more than `limits`.
    """
    header, sections, metadata, view = _open_view(data, size, region, levels, reduce, limits)
    image = to_pil(_decode_samples(header, sections, view, device))
    image.info.update(metadata_info(metadata))
    return image


def decode_array(
    data: bytes,
    *,
    device: torch.device | str | None = None,
    size: Size | None = None,
    region: Region | None = None,
    levels: int | None = None,
    reduce: int = 0,
    limits: Limits = DEFAULT_LIMITS,
) -> Shaped[np.ndarray, "h w *c"]:
    """Decode a file to samples of the type that was encoded: uint8, uint16 or float32.

    The array has the shape (h, w) for grey images. Arguments and errors are those of `decode`.
    """
    header, sections, _, view = _open_view(data, size, region, levels, reduce, limits)
    return _decode_samples(header, sections, view, device)


def open_file(data: bytes, limits: Limits) -> tuple[Header, dict[int, bytes]]:
    """Return the header and sections of a whole file. Checksums and limits are checked."""
    header = _open_header(data, limits)
    sections = unpack_sections(bytes(data), header)
    read_metadata(sections, limits)  # finds damage before pixels are computed
    return header, sections


def read_header(data: bytes) -> Header:
    """Return the header of a file; limits are not checked."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidArgument(
            f"the bytes of a file are needed, not a {type(data).__name__}: read it first, as "
            "Path(name).read_bytes() does"
        )
    return bitstream.unpack_header(bytes(data))


def _open_header(data: bytes, limits: Limits) -> Header:
    header = read_header(data)
    check_limits(header, limits, 1)
    return header


def check_limits(header: Header, limits: Limits, pixels: int) -> None:
    """Refuse a file that would cost too much, before anything is allocated.

    pixels: number of pixels that are shown.
    """
    refuse("pixels", max(pixels, header.pixels), limits.max_pixels)
    profile_of(header).check_limits(header, limits, pixels)


def _open_view(
    data: bytes, size: Size | None, region: Region | None, levels: int | None, reduce: int,
    limits: Limits,
) -> tuple[Header, dict[int, bytes], Metadata, View]:  # fmt: skip
    """Return header, sections and metadata of a file, or of a sufficient prefix, and the view."""
    header, whole = _open_header(data, limits), True
    if profile_of(header).progressive and (levels is not None or reduce):
        sections, whole = unpack_prefix(bytes(data), header)
    else:
        sections = unpack_sections(bytes(data), header)
    metadata = read_metadata(sections, limits)  # finds damage before pixels are computed
    view = _view_of(header, size, region, levels, reduce, prefix=not whole)
    left, top, right, bottom = view.region
    check_limits(header, limits, (right - left) * (bottom - top))
    return header, sections, metadata, view


def _view_of(
    header: Header, size: Size | None, region: Region | None, levels: int | None, reduce: int,
    *, prefix: bool,
) -> View:  # fmt: skip
    """Return a view with defaults filled in. Raises InvalidArgument for an impossible view."""
    if reduce < 0 or (levels is not None and levels < 0):
        raise InvalidArgument(f"levels {levels} and reduce {reduce} must not be negative")
    size = (-(-header.width >> reduce), -(-header.height >> reduce)) if size is None else size
    if min(size) < 1:
        raise InvalidArgument(f"size {size} is not at least 1 x 1")
    region = (0, 0, *size) if region is None else region
    left, top, right, bottom = region
    if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
        raise InvalidArgument(f"region {region} is not a window of a {size[0]}x{size[1]} image")
    return View(size=size, region=region, levels=levels, reduce=reduce, prefix=prefix)


def _decode_samples(
    header: Header,
    sections: dict[int, bytes],
    view: View,
    device: torch.device | str | None,
) -> Shaped[np.ndarray, "h w *c"]:
    alpha = _alpha(header, sections, view)
    where = device_of(device)
    with float32_everywhere(), torch.no_grad():
        colours = profile_of(header).render(header, sections, view, where)
    array = to_samples(colours.cpu().numpy(), header.samples)
    if alpha is not None:
        array = np.concatenate([array, alpha.astype(array.dtype)[:, :, None]], axis=2)
    return array[:, :, 0] if array.shape[2] == 1 else array


def _alpha(
    header: Header, sections: dict[int, bytes], view: View
) -> Shaped[np.ndarray, "h w"] | None:
    """The alpha samples of a view, if the image has alpha."""
    if not header.has_alpha:
        return None
    if bitstream.ALPHA not in sections:
        raise TruncatedBitstream("this part of a file ends before its alpha: give more of it")
    alpha = read_alpha(header, sections[bitstream.ALPHA])
    return alpha_window(alpha, (header.width, header.height), view.size, view.region)
