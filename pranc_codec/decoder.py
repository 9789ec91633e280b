"""From bytes to pixels: header + symbols -> network -> image."""

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
    """What decodes a file of this header."""
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
    """Decode a file to a PIL image of its mode, with ICC profile, EXIF and XMP in `info`.

    size: (width, height) to render at instead of the image's own. In the mlp profile the network
    is evaluated there and nothing is resampled; in the grid profile the decoded image is resampled
    (bicubic), as alpha is in both. region: (left, top, right, bottom) in pixels of that size; only
    these are computed (mlp), or synthesized (grid at its own size). 16-bit colour and float
    samples become 8 bit, which is what Pillow has: use `decode_array` for all of them.

    reduce: show the image at 1/2, 1/4 ... (1, 2 ...) of its own size, rounded up. levels: use only
    the coarsest so many wavelet levels of a grid file, which makes a softer picture. With either
    of them `data` may be the beginning of a grid file without alpha, as far as it is needed
    (`Analysis.prefix_bytes`); then ICC profile, EXIF and XMP are missing, and damage within the
    latents may show as a wrong picture: no checksum covers a part of them.

    Raises BitstreamError for wrong bytes, LimitExceeded if the file asks for more than `limits`.
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
    """Decode to samples as they were encoded: uint8, uint16 or float32; (h, w) for grey.

    Arguments and errors as for `decode`.
    """
    header, sections, _, view = _open_view(data, size, region, levels, reduce, limits)
    return _decode_samples(header, sections, view, device)


def open_file(data: bytes, limits: Limits) -> tuple[Header, dict[int, bytes]]:
    """Header and sections of a whole file, checked against their checksums and the limits."""
    header = _open_header(data, limits)
    sections = unpack_sections(bytes(data), header)
    read_metadata(sections, limits)  # damaged ones are met before pixels are computed
    return header, sections


def read_header(data: bytes) -> Header:
    """What a file's first bytes say; its limits are not checked."""
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
    """Refuse what would cost too much, before anything is allocated. pixels: to be computed."""
    refuse("pixels", max(pixels, header.pixels), limits.max_pixels)
    profile_of(header).check_limits(header, limits, pixels)


def _open_view(
    data: bytes, size: Size | None, region: Region | None, levels: int | None, reduce: int,
    limits: Limits,
) -> tuple[Header, dict[int, bytes], Metadata, View]:  # fmt: skip
    """A file, or the part of it that a view needs, its metadata, and the view."""
    header, whole = _open_header(data, limits), True
    if profile_of(header).progressive and (levels is not None or reduce):
        sections, whole = unpack_prefix(bytes(data), header)
    else:
        sections = unpack_sections(bytes(data), header)
    metadata = read_metadata(sections, limits)  # damage is met before pixels are computed
    view = _view_of(header, size, region, levels, reduce, prefix=not whole)
    left, top, right, bottom = view.region
    check_limits(header, limits, (right - left) * (bottom - top))
    return header, sections, metadata, view


def _view_of(
    header: Header, size: Size | None, region: Region | None, levels: int | None, reduce: int,
    *, prefix: bool,
) -> View:  # fmt: skip
    """A view with what is not given filled in; refuses what cannot be."""
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
    """Alpha samples of a view, if the image has them."""
    if not header.has_alpha:
        return None
    if bitstream.ALPHA not in sections:
        raise TruncatedBitstream("this part of a file ends before its alpha: give more of it")
    alpha = read_alpha(header, sections[bitstream.ALPHA])
    return alpha_window(alpha, (header.width, header.height), view.size, view.region)
