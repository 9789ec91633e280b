"""Decoding of the grid profile: header + latents -> wavelet -> residual network -> colours.

    latents     integers on the grids of `wavelet`, coded under the distributions (`latents`) that
                the context model says (`context`; in integers `exact`)
    linear      the inverse wavelet of latents * step: opponent colours around mid-grey (0.5)
    corrected   plus what the residual network says (`synthesis`)

A grey picture has three equal colours: its chroma latents are zero and not coded, and its samples
are the mean of the three that come out.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.entropy import range_coder
from pranc_codec.entropy.range_coder import Integers
from pranc_codec.errors import CorruptBitstream, InvalidArgument
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.format.parameters import GridParameters
from pranc_codec.grid import prior as priors, wavelet
from pranc_codec.grid.blocks import unfold
from pranc_codec.grid.enhancement import (
    OFFSET_SCALE,
    REACH,
    SynthesisNetwork,
    cell_coords,
    layer_channels,
    maps_of,
)
from pranc_codec.grid.latent_stream import Held, read_pyramid
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.limits import Limits, refuse
from pranc_codec.pranc.model import Pranc
from pranc_codec.view import View, window_of

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
    header: Header, sections: dict[int, bytes], view: View, device: torch.device
) -> Float[Tensor, "h w colours"]:
    """Colours of a window, not clipped. At another size than its own the image is resampled."""
    own = (header.height, header.width)
    levels = levels_shown(header, view)
    missing = wavelet.levels_of(*own) - levels
    network = network_of(header, sections, device)
    pyramid = _pyramid_of(header, sections, device, levels, prefix=view.prefix)
    size = wavelet.halved(*own, missing)
    step = header.grid.q_step / wavelet.low_gain(*own, missing)
    if missing == view.reduce and view.size == size[::-1]:
        left, top, right, bottom = view.region
        opponent = reconstruct(pyramid, network, size, step, rows_shown=(top, bottom))
        colours = to_colours(opponent, header.colours)[:, :, left:right]
    else:
        opponent = reconstruct(pyramid, network, size, step)
        for number in range(missing - 1, view.reduce - 1, -1):
            opponent = wavelet.enlarge(opponent[None], wavelet.halved(*own, number))[0]
        whole = to_colours(opponent, header.colours).cpu().numpy()
        planes = [window_of(plane, view.size, view.region) for plane in whole]
        colours = torch.from_numpy(np.stack(planes))
    return colours.permute(1, 2, 0)


def _pyramid_of(
    header: Header, sections: dict[int, bytes], device: torch.device, levels: int, *, prefix: bool
) -> Pyramid:
    """The coarsest levels. prefix: the latents may be cut off behind them; then it cannot be told
    whether bytes are damaged or missing."""
    if not prefix:
        return read_pyramid(header, sections, device, levels=levels)
    held = Held(header, sections[bitstream.LATENTS])
    try:
        return read_pyramid(header, sections, device, levels=levels, watcher=held)
    except CorruptBitstream as error:
        raise held.refusal() from error


def levels_shown(header: Header, view: View) -> int:
    """Levels that a view needs: all, or fewer for a reduced or a softer picture."""
    most = wavelet.levels_of(header.height, header.width)
    if view.reduce > most:
        raise InvalidArgument(f"reduce {view.reduce} is more than the {most} levels of this image")
    return min(most - view.reduce, most if view.levels is None else view.levels)


def to_colours(opponent: Float[Tensor, "3 h w"], colours: int) -> Float[Tensor, "c h w"]:
    """Opponent colours around mid-grey as RGB in [0, 1], or as grey."""
    rgb = wavelet.to_rgb(opponent[None])[0] + MID_GREY
    return rgb if colours == 3 else rgb.mean(0, keepdim=True)


def network_of(
    header: Header, sections: dict[int, bytes], device: torch.device
) -> SynthesisNetwork:
    """The file's residual network: the prior, its offsets changed by the file's coefficients."""
    if not header.grid.k:
        return prior_network(header.grid.prior).to(device)
    network = build_network(header.grid.prior, header.grid.k, header.seed)
    assert isinstance(network.offsets, Pranc)
    network.offsets.set_coefficients(read_coefficients(header.grid, sections))
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
    groups = [(p.k, p.layer.row)]
    return range_coder.decode_canonical_symbols(sections[bitstream.SYMBOLS], groups)[0]


def read_coefficients(p: GridParameters, sections: dict[int, bytes]) -> Float[Tensor, " k"]:
    """The residual network's coefficients."""
    assert p.layer is not None
    return (
        torch.from_numpy(read_coefficient_symbols(p, sections).astype(np.float32)) * p.layer.q_step
    )


def reconstruct(
    pyramid: Pyramid,
    network: torch.nn.Module,
    size: tuple[int, int],
    step: float,
    *,
    rows_shown: tuple[int, int] | None = None,
) -> Float[Tensor, "3 h w"]:
    """Opponent colours of rows of the image: inverse wavelet plus the network's correction.
    size: (height, width). The coarser levels of an image are a picture of half its size at half
    the step, a quarter at a quarter, and so on."""
    linear = linear_of(pyramid, size, step)
    top, bottom = rows_shown or (0, size[0])
    if not pyramid.bands:
        return linear[0, :, top:bottom]
    across = pyramid.bands[-1].shape[4]
    out = linear.new_empty(3, bottom - top // 2 * 2, size[1])
    for first, last in strips_of(size[1], top, bottom):
        part = corrected_part(pyramid, linear, network, step, (first, 0, last, across))
        start = 2 * first - top // 2 * 2
        out[:, start : start + part.shape[1]] = part[:, : out.shape[1] - start]
    return out[:, top % 2 :]


def linear_of(pyramid: Pyramid, size: tuple[int, int], step: float) -> Float[Tensor, "1 3 h w"]:
    """Inverse wavelet of integers, colour by colour to save memory."""
    out = torch.empty(1, 3, *size, device=pyramid.low.device)
    for colour in range(3):
        own = pyramid.map(lambda t, c=colour: t[:, c : c + 1] * step)  # type: ignore[misc]
        out[:, colour] = wavelet.synthesize(own, *size)[:, 0]
    return out


def strips_of(width: int, top: int, bottom: int) -> Iterator[tuple[int, int]]:
    """Rows of cells first .. last - 1 that show the rows top .. bottom - 1, in strips."""
    height = max(2, CELLS_AT_ONCE // -(-width // 2))
    first, last = top // 2, -(-bottom // 2)
    for start in range(first, last, height):
        yield start, min(start + height, last)


def corrected_part(
    pyramid: Pyramid,
    linear: Float[Tensor, "1 3 height width"],
    network: torch.nn.Module,
    step: float,
    box: tuple[int, int, int, int],
) -> Float[Tensor, "3 h w"]:
    """The image in a box of cells (top, left, bottom, right; odd images end inside their last
    cells), computed with the cells around that matter."""
    (height, width), cells = linear.shape[2:], pyramid.bands[-1].shape[3:]
    rows, inner_rows = _with_reach(box[0], box[2], cells[0])
    columns, inner_columns = _with_reach(box[1], box[3], cells[1])
    own = linear[:, :, _doubled(rows), _doubled(columns)]
    finest = pyramid.bands[-1][..., rows, columns].float()
    parents = None
    if len(pyramid.bands) > 1:
        parents = pyramid.bands[-2][..., _halved(rows), _halved(columns)].float()
    coords = cell_coords((cells[0], cells[1]), (height, width), linear)[:, rows, columns]
    maps = maps_of(own, finest, parents, own.new_tensor([step]), coords)
    correction = network(maps)[:, :, inner_rows, inner_columns].float()
    part = linear[0, :, 2 * box[0] : 2 * box[2], 2 * box[1] : 2 * box[3]]
    return part + unfold(correction, (part.shape[1], part.shape[2]))[0] * step


def _with_reach(first: int, last: int, count: int) -> tuple[slice, slice]:
    """Cells first .. last - 1 with those around that matter, and where they are among these."""
    start, stop = max(0, first - REACH) // 2 * 2, min(count, last + REACH)
    return slice(start, stop), slice(first - start, last - start)


def _doubled(cells: slice) -> slice:
    return slice(2 * cells.start, 2 * cells.stop)


def _halved(cells: slice) -> slice:
    return slice(cells.start // 2, -(-cells.stop // 2))
