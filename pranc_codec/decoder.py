"""From bytes to pixels: header + symbols -> coefficients -> network -> image."""

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Shaped
from PIL import Image
from torch import Tensor

from pranc_codec import bitstream, coordinate, entropy, priors
from pranc_codec.bitstream import Header, Limits, MlpParameters
from pranc_codec.errors import CorruptBitstream, InvalidArgument, LimitExceeded
from pranc_codec.image import Metadata, to_pil, to_samples
from pranc_codec.pranc import Pranc, apportion

Size = tuple[int, int]
Region = tuple[int, int, int, int]
DEFAULT_LIMITS = Limits()


def default_device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(device: torch.device | str | None) -> torch.device:
    """The caller's device, or the default one."""
    if device is None:
        return default_device()
    try:
        where = torch.device(device)
        torch.zeros(1, device=where)
    except (RuntimeError, AssertionError) as error:
        raise InvalidArgument(f"device {device!r} cannot be used: {error}") from error
    return where


def decode(
    data: bytes,
    *,
    device: torch.device | str | None = None,
    size: Size | None = None,
    region: Region | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Image.Image:
    """Decode a file to a PIL image of its mode, with ICC profile, EXIF and XMP in `info`.

    size: (width, height) to render at instead of the image's own; the network is evaluated there,
    nothing is resampled (alpha, which is no network, is: bicubic). region: (left, top, right,
    bottom) in pixels of that size; only these are computed. 16-bit colour and float samples
    become 8 bit, which is what Pillow has: use `decode_array` for all of them.

    Raises BitstreamError for wrong bytes, LimitExceeded if the file asks for more than `limits`.
    """
    header, sections = open_file(data, limits)
    array = _decode_samples(header, sections, device, size, region, limits)
    image = to_pil(array)
    image.info.update(metadata_info(read_metadata(sections, limits)))
    return image


def decode_array(
    data: bytes,
    *,
    device: torch.device | str | None = None,
    size: Size | None = None,
    region: Region | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Shaped[np.ndarray, "h w *c"]:
    """Decode to samples as they were encoded: uint8, uint16 or float32; (h, w) for grey.

    Arguments and errors as for `decode`.
    """
    header, sections = open_file(data, limits)
    return _decode_samples(header, sections, device, size, region, limits)


def open_file(data: bytes, limits: Limits) -> tuple[Header, dict[int, bytes]]:
    """Header and sections of a whole file, checked against their checksums and the limits."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidArgument(f"decode takes the bytes of a file, not a {type(data).__name__}")
    header = bitstream.unpack_header(bytes(data))
    check_limits(header, limits, 1)
    sections = bitstream.unpack_sections(bytes(data), header)
    read_metadata(sections, limits)  # damaged ones are met before pixels are computed
    return header, sections


def check_limits(header: Header, limits: Limits, pixels: int) -> None:
    """Refuse what would cost too much, before anything is allocated. pixels: to be computed."""
    shape, p = network_shape(header), header.parameters
    macs = shape.weights * pixels
    _refuse("pixels", max(pixels, header.pixels), limits.max_pixels)
    _refuse("network weights", shape.weights, limits.max_weights)
    _refuse("multiplications", macs, limits.max_macs)
    if not len(p.layers) <= p.k <= shape.weights:
        raise CorruptBitstream(f"{p.k} coefficients do not fit {shape.weights} weights")
    if p.basis == "dense":
        sizes = coordinate.layer_sizes(shape)
        entries = sum(size * k for size, k in zip(sizes, apportion(p.k, sizes), strict=True))
        _refuse("multiplications", macs + entries, limits.max_macs)


def _refuse(what: str, value: int, limit: int) -> None:
    if value > limit:
        raise LimitExceeded(f"{value} {what} exceed the limit of {limit}: raise it in `Limits`")


def network_shape(header: Header) -> coordinate.Shape:
    """The network's size as the header states it."""
    p = header.parameters
    return coordinate.Shape(
        features=p.features,
        bandwidth=bandwidth_of_code(p.bandwidth),
        width=p.width,
        depth=p.depth,
        colours=header.colours,
    )


def bandwidth_of_code(code: int) -> float:
    """Largest feature frequency of the header's byte: 2**(code / 16) radians."""
    return float(2.0 ** (code / 16))


def read_symbols(header: Header, sections: dict[int, bytes]) -> list[entropy.Integers]:
    """The integers of the file: one array a layer."""
    p = header.parameters
    counts = apportion(p.k, coordinate.layer_sizes(network_shape(header)))
    groups = [(count, layer.row) for count, layer in zip(counts, p.layers, strict=True)]
    symbols = entropy.decode_symbols(sections[bitstream.SYMBOLS], groups)
    again = [(s, layer.row) for s, layer in zip(symbols, p.layers, strict=True)]
    if entropy.encode_symbols(again) != sections[bitstream.SYMBOLS]:
        raise CorruptBitstream("the range-coded symbols are not what an encoder writes")
    return symbols


def build_network(shape: coordinate.Shape, p: MlpParameters, seed: int, *, hold: bool) -> Pranc:
    """The coordinate network as PRANC weights around its prior, all coefficients zero."""
    return Pranc(
        coordinate.CoordinateMLP(shape, seed=seed),
        coefficients=p.k,
        seed=seed,
        basis=p.basis,
        prior=priors.load(p.prior, shape, seed=seed),
        scales=coordinate.scales(shape),
        hold=hold,
    )


def dequantize(symbols: list[entropy.Integers], p: MlpParameters) -> Float[Tensor, " k"]:
    """Symbols times their layer's step."""
    parts = [
        torch.from_numpy(s.astype(np.float32)) * layer.step
        for s, layer in zip(symbols, p.layers, strict=True)
    ]
    return torch.cat(parts)


def network_of(
    header: Header, sections: dict[int, bytes], device: torch.device
) -> coordinate.CoordinateMLP:
    """The file as a network with its weights."""
    shape = network_shape(header)
    with coordinate.float32_everywhere(), torch.no_grad():
        pranc = build_network(shape, header.parameters, header.seed, hold=False)
        pranc.load(dequantize(read_symbols(header, sections), header.parameters))
        network = coordinate.CoordinateMLP(shape, seed=header.seed)
        network.load_state_dict(pranc.weights())
    return network.to(device)


def _decode_samples(
    header: Header,
    sections: dict[int, bytes],
    device: torch.device | str | None,
    size: Size | None,
    region: Region | None,
    limits: Limits,
) -> Shaped[np.ndarray, "h w *c"]:
    own = (header.width, header.height)
    size = own if size is None else size
    if min(size) < 1:
        raise InvalidArgument(f"size {size} is not at least 1 x 1")
    region = (0, 0, *size) if region is None else region
    left, top, right, bottom = region
    if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
        raise InvalidArgument(f"region {region} is not a window of a {size[0]}x{size[1]} image")
    check_limits(header, limits, (right - left) * (bottom - top))
    alpha = read_alpha(header, sections[bitstream.ALPHA]) if header.has_alpha else None
    where = device_of(device)
    network, channels = network_of(header, sections, where), network_shape(header).channels
    colours = coordinate.render(network, size, region, where, channels=channels)
    array = to_samples(colours.cpu().numpy(), header.samples)
    if alpha is not None:
        window = _alpha_window(alpha, own, size, region).astype(array.dtype)
        array = np.concatenate([array, window[:, :, None]], axis=2)
    return array[:, :, 0] if array.shape[2] == 1 else array


def _alpha_window(
    alpha: npt.NDArray[Any], own: Size, size: Size, region: Region
) -> npt.NDArray[Any]:
    """Alpha of a window: a crop, or resampled (bicubic) from the part that it shows."""
    left, top, right, bottom = region
    if size == own:
        return alpha[top:bottom, left:right]
    across, down = own[0] / size[0], own[1] / size[1]
    box = (left * across, top * down, right * across, bottom * down)
    shape = (right - left, bottom - top)
    return np.asarray(Image.fromarray(alpha).resize(shape, Image.Resampling.BICUBIC, box=box))


def pack_alpha(alpha: npt.NDArray[Any]) -> bytes:
    """Alpha losslessly: differences to the row above, then zlib; `read_alpha` is the inverse."""
    above = np.concatenate([np.zeros_like(alpha[:1]), alpha[:-1]])
    return zlib.compress((alpha - above).astype(alpha.dtype.newbyteorder(">")).tobytes(), 9)


def read_alpha(header: Header, payload: bytes) -> npt.NDArray[Any]:
    """Alpha samples (h, w), uint8 or uint16."""
    kind = np.dtype(header.samples)
    expected = header.pixels * kind.itemsize
    try:
        raw = bitstream.inflate(payload, expected, "alpha")
    except LimitExceeded as error:
        raise CorruptBitstream(f"alpha has more than {expected} bytes") from error
    if len(raw) != expected:
        raise CorruptBitstream(f"alpha has {len(raw)} bytes instead of {expected}")
    rows = np.frombuffer(raw, kind.newbyteorder(">")).reshape(header.height, header.width)
    return np.cumsum(rows, axis=0, dtype=kind)


def pack_metadata(metadata: Metadata) -> dict[int, bytes]:
    """Sections of what metadata there is; `read_metadata` is the inverse."""
    blobs = {number: getattr(metadata, name) for name, number in bitstream.METADATA.items()}
    return {number: zlib.compress(blob, 9) for number, blob in blobs.items() if blob is not None}


def read_metadata(sections: dict[int, bytes], limits: Limits) -> Metadata:
    """ICC profile, EXIF and XMP, byte for byte."""
    return Metadata(
        **{
            name: bitstream.inflate(sections[number], limits.max_metadata_bytes, name)
            for name, number in bitstream.METADATA.items()
            if number in sections
        }
    )


def metadata_info(metadata: Metadata) -> dict[str, bytes]:
    """Metadata under Pillow's keys of `Image.info`."""
    return {name: blob for name, blob in vars(metadata).items() if blob is not None}
