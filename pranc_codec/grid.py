"""Decoding of the grid profile: header + latents -> wavelet -> residual network -> colours.

    latents     integers on the grids of `wavelet`, coded under the distributions (`latents`) that
                the context model says (`context`; in integers `exact`)
    linear      the inverse wavelet of latents * step: opponent colours around mid-grey (0.5)
    corrected   plus what the residual network says (`synthesis`)

A grey picture has three equal colours: its chroma latents are zero and not coded, and its samples
are the mean of the three that come out.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec import bitstream, entropy, exact, latents, wavelet
from pranc_codec.bitstream import Header
from pranc_codec.context import unfold
from pranc_codec.entropy import Decoder, Encoder, Integers
from pranc_codec.errors import CorruptBitstream
from pranc_codec.extras import Region, Size, window_of
from pranc_codec.limits import Limits, refuse
from pranc_codec.parameters import GridParameters
from pranc_codec.pranc import Pranc
from pranc_codec.priors import grid as priors
from pranc_codec.synthesis import (
    OFFSET_SCALE,
    REACH,
    SynthesisNetwork,
    cell_coords,
    layer_channels,
    maps_of,
)
from pranc_codec.tables import rows
from pranc_codec.wavelet import Pyramid

MACS_PER_PIXEL: Final = 110_000
"""Of both networks together, about; for limits."""
LARGEST_SIDE: Final = 65535
CELLS_AT_ONCE: Final = 1 << 16
MID_GREY: Final = 0.5


def check_limits(header: Header, limits: Limits, pixels: int) -> None:
    """Refuse what would cost too much. The whole image is decoded, whatever is shown of it."""
    if max(header.width, header.height) > LARGEST_SIDE:
        raise CorruptBitstream(
            f"{header.width}x{header.height} has a side beyond the grid profile's {LARGEST_SIDE}"
        )
    refuse("multiplications", MACS_PER_PIXEL * header.pixels, limits.max_macs)
    if header.grid.k > offsets_count():
        raise CorruptBitstream(
            f"{header.grid.k} coefficients do not fit the {offsets_count()} offsets"
        )


def offsets_count() -> int:
    """Offsets of the residual network."""
    return sum(layer_channels(3))


def render(
    header: Header,
    sections: dict[int, bytes],
    size: Size,
    region: Region,
    device: torch.device,
) -> Float[Tensor, "h w colours"]:
    """Colours of a window, not clipped. At another size than its own the image is resampled."""
    pyramid = read_pyramid(header, sections, device)
    network = network_of(header, sections, device)
    left, top, right, bottom = region
    if size == (header.width, header.height):
        opponent = reconstruct(pyramid, network, header, rows_shown=(top, bottom))
        colours = to_colours(opponent, header.colours)[:, :, left:right]
    else:
        whole = to_colours(reconstruct(pyramid, network, header), header.colours).cpu().numpy()
        planes = [window_of(plane, size, region) for plane in whole]
        colours = torch.from_numpy(np.stack(planes))
    return colours.permute(1, 2, 0)


def to_colours(opponent: Float[Tensor, "3 h w"], colours: int) -> Float[Tensor, "c h w"]:
    """Opponent colours around mid-grey as RGB in [0, 1], or as grey."""
    rgb = wavelet.to_rgb(opponent[None])[0] + MID_GREY
    return rgb if colours == 3 else rgb.mean(0, keepdim=True)


def pack_low(encoder: Encoder, low: Integers, low_rows: tuple[int, ...]) -> None:
    """Code the low band (colours, h, w); `unpack_low` is the inverse."""
    for plane, row in zip(low, low_rows, strict=True):
        encoder.encode(low_differences(plane).reshape(-1), rows()[row])


def unpack_low(decoder: Decoder, size: tuple[int, int], low_rows: tuple[int, ...]) -> Integers:
    """Inverse of `pack_low`."""
    planes = [decoder.decode(size[0] * size[1], rows()[row]).reshape(size) for row in low_rows]
    out = np.stack(planes).astype(np.int64)
    out[:, :, 0] = np.cumsum(out[:, :, 0], axis=1)
    low = np.cumsum(out, axis=2)
    if np.abs(low).max() > entropy.LARGEST_MAGNITUDE:
        raise CorruptBitstream("the low band is larger than the format allows")
    return low.astype(np.int32)


def low_differences(plane: Integers) -> Integers:
    """Each symbol minus its left neighbour, the first of a row minus the one above."""
    out = plane.copy()
    out[:, 1:] -= plane[:, :-1]
    out[1:, 0] -= plane[:-1, 0]
    return out


def low_size(header: Header) -> tuple[int, int]:
    """Grid of the low band: that of the coarsest level."""
    return (wavelet.grids(header.height, header.width) or [(header.height, header.width)])[0]


def read_pyramid(
    header: Header,
    sections: dict[int, bytes],
    device: torch.device,
    *,
    watch: Callable[[latents.Distributions, tuple[int, ...], Integers], None] | None = None,
) -> Pyramid:
    """The file's integers. watch: is told each step's distributions, place and symbols."""
    decoder = Decoder(sections[bitstream.LATENTS])
    planes = unpack_low(decoder, low_size(header), header.grid.low_rows)
    low = torch.zeros(1, 3, *planes.shape[1:], dtype=torch.int32, device=device)
    low[0, : header.colours] = torch.from_numpy(planes).to(device)

    def code(distributions: latents.Distributions, key: tuple[int, ...]) -> Integers:
        symbols = latents.decode_step(decoder, distributions)
        if watch is not None:
            watch(distributions, key, symbols)
        return symbols

    bands = exact.code_bands(
        priors.load(header.grid.prior).context(device), low, (header.height, header.width),
        header.grid.step_code, code, colours=header.colours,
    )  # fmt: skip
    decoder.finish()
    return Pyramid(low=low, bands=tuple(bands))


def network_of(
    header: Header, sections: dict[int, bytes], device: torch.device
) -> SynthesisNetwork:
    """The file's residual network: the prior, its offsets changed by the file's coefficients."""
    if not header.grid.k:
        return prior_network(header.grid.prior).to(device)
    network = build_network(header.grid.prior, header.grid.k, header.seed)
    assert isinstance(network.offsets, Pranc)
    network.offsets.load(read_coefficients(header.grid, sections))
    return network.to(device)


def prior_network(prior: int) -> SynthesisNetwork:
    """The residual network as it ships."""
    with torch.device("meta"):  # draws no random numbers
        network = SynthesisNetwork()
    network.load_state_dict(priors.load(prior).synthesis(), assign=True)
    return network.requires_grad_(False)


def build_network(prior: int, k: int, seed: int) -> SynthesisNetwork:
    """The residual network with k coefficients for its offsets, all zero."""
    network = prior_network(prior)
    shipped = {name: p.detach() for name, p in network.offsets.named_parameters()}
    network.offsets = Pranc(
        network.offsets, coefficients=k, seed=seed, prior=shipped,
        scales={"values": OFFSET_SCALE}, hold=True,
    )  # fmt: skip
    return network


def read_coefficient_symbols(p: GridParameters, sections: dict[int, bytes]) -> Integers:
    """Symbols of the residual network's coefficients."""
    assert p.layer is not None
    symbols = entropy.decode_symbols(sections[bitstream.SYMBOLS], [(p.k, p.layer.row)])[0]
    if entropy.encode_symbols([(symbols, p.layer.row)]) != sections[bitstream.SYMBOLS]:
        raise CorruptBitstream("the range-coded symbols are not what an encoder writes")
    return symbols


def read_coefficients(p: GridParameters, sections: dict[int, bytes]) -> Float[Tensor, " k"]:
    """The residual network's coefficients."""
    assert p.layer is not None
    return torch.from_numpy(read_coefficient_symbols(p, sections).astype(np.float32)) * p.layer.step


def reconstruct(
    pyramid: Pyramid,
    network: torch.nn.Module,
    header: Header,
    *,
    rows_shown: tuple[int, int] | None = None,
) -> Float[Tensor, "3 h w"]:
    """Opponent colours of rows of the image: inverse wavelet plus the network's correction."""
    size, step = (header.height, header.width), header.grid.step
    linear = torch.cat(
        [
            wavelet.synthesize(pyramid.map(lambda t, c=c: t[:, c : c + 1] * step), *size)  # type: ignore[misc]
            for c in range(3)
        ],
        dim=1,
    )
    top, bottom = rows_shown or (0, header.height)
    if not pyramid.bands:
        return linear[0, :, top:bottom]
    parts = [
        _corrected_strip(pyramid, linear, network, step, strip)
        for strip in strips_of(header, top, bottom)
    ]
    return torch.cat(parts, dim=1)[:, top % 2 : top % 2 + bottom - top]


def strips_of(header: Header, top: int, bottom: int) -> Iterator[tuple[int, int]]:
    """Rows of cells first .. last - 1 that show the rows top .. bottom - 1, in strips."""
    height = max(2, CELLS_AT_ONCE // -(-header.width // 2))
    first, last = top // 2, -(-bottom // 2)
    for start in range(first, last, height):
        yield start, min(start + height, last)


def _corrected_strip(
    pyramid: Pyramid, linear: Tensor, network: torch.nn.Module, step: float,
    strip: tuple[int, int],
) -> Tensor:  # fmt: skip
    """The image's rows of a strip of cells, computed with the cells around that matter."""
    height, width = linear.shape[2:]
    cells = pyramid.bands[-1].shape[3:]
    start = max(0, strip[0] - REACH) // 2 * 2
    stop = min(cells[0], strip[1] + REACH)
    own = linear[:, :, 2 * start : 2 * stop]
    finest = pyramid.bands[-1][..., start:stop, :].float()
    parents = None
    if len(pyramid.bands) > 1:
        parents = pyramid.bands[-2][..., start // 2 : -(-stop // 2), :].float()
    coords = cell_coords((cells[0], cells[1]), (height, width), linear)[:, start:stop]
    maps = maps_of(own, finest, parents, own.new_tensor([step]), coords)
    inside = slice(strip[0] - start, strip[1] - start)
    correction = network(maps)[:, :, inside]
    rows_here = min(2 * strip[1], height) - 2 * strip[0]
    return (
        linear[0, :, 2 * strip[0] : 2 * strip[1]] + unfold(correction, (rows_here, width))[0] * step
    )
