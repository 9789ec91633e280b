"""The residual coordinate network of the grid profile: what the inverse wavelet leaves out.

At each cell of 2x2 pixels it sees, in a window that its layers widen to 13x13 cells,

    detail      the reconstruction's difference to its local mean, in steps: as it is (cut off) and
                as logarithms of magnitudes
    symbols     of the two finest levels, as logarithms of magnitudes, with sign and without
    constants   1 inside the image, the step, and the position (x, y) in [-1, 1]

and adds a correction, in steps, to the four pixels of each colour. The last layer starts at zero.

The weights ship (`priors`). What a file may change are the offsets of all channels, as PRANC
weights around the shipped ones: of what was tried (whole layers, the last layer), a coefficient
does most for the image there. offsets = prior + OFFSET_SCALE * basis(seed) @ coefficients.
"""

import itertools
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pranc_codec.grid.blocks import doubled, fold, log_magnitude, signed_and_not, unfold

CHANNELS: Final = 64
MIDDLE_LAYERS: Final = 4
OFFSET_SCALE: Final = 0.1
MEAN_WINDOW: Final = 5
LARGEST_DETAIL: Final = 8.0
REACH: Final = MIDDLE_LAYERS + 2 + MEAN_WINDOW // 2
"""Cells around a cell that influence its correction."""


def input_channels(colours: int) -> int:
    """Maps that the network sees."""
    return 8 * colours + 12 * colours + 4


def layer_channels(colours: int, channels: int = CHANNELS) -> list[int]:
    """Channels that each layer gives; each has an offset."""
    return [*[channels] * (MIDDLE_LAYERS + 1), 4 * colours]


class Offsets(nn.Module):
    """What the layers add to their channels (biases), of all layers in one vector."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(count))

    def forward(self) -> Float[Tensor, " channels"]:
        return self.values


class SynthesisNetwork(nn.Module):
    """The correction from the maps, both on the grid of cells. colours: 1 (grey) or 3."""

    def __init__(self, colours: int = 3, channels: int = CHANNELS) -> None:
        super().__init__()
        self._channels = layer_channels(colours, channels)
        sizes = [input_channels(colours), *self._channels]
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in itertools.pairwise(sizes)
        )
        self.offsets: nn.Module = Offsets(sum(self._channels))
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]

    def forward(self, maps: Float[Tensor, "n maps h w"]) -> Float[Tensor, "n c4 h w"]:
        offsets = torch.split(self.offsets(), self._channels)
        first, *middle, last = zip(self.layers, offsets, strict=True)
        h = functional.relu(_convolved(maps.contiguous(memory_format=torch.channels_last), *first))
        for one, two in zip(middle[::2], middle[1::2], strict=True):
            h = functional.relu(h + _convolved(functional.relu(_convolved(h, *one)), *two))
        return _convolved(h, *last)


def _convolved(x: Tensor, layer: nn.Module, offset: Tensor) -> Tensor:
    """Offsets are added after the convolution where their gradient is wanted: oneDNN would compute
    that of all weights with it."""
    assert isinstance(layer, nn.Conv2d)
    if offset.requires_grad and not layer.weight.requires_grad:
        return functional.conv2d(x, layer.weight, padding=1) + offset[:, None, None]
    return functional.conv2d(x, layer.weight, offset, padding=1)


def maps_of(
    linear: Float[Tensor, "n colours h w"],
    finest: Float[Tensor, "n colours 3 hc wc"],
    parents: Float[Tensor, "n colours 3 _ _"] | None,
    step: Float[Tensor, " n"],
    coords: Float[Tensor, "2 hc wc"],
) -> Float[Tensor, "n maps hc wc"]:
    """What the network sees. linear: inverse wavelet. finest, parents: symbols of the two finest
    levels. coords: of the cells."""
    n, cells = len(step), (int(finest.shape[3]), int(finest.shape[4]))
    in_steps = folded(linear) / step.view(-1, 1, 1, 1)
    mean = functional.avg_pool2d(
        in_steps.view(n, -1, 4, *cells).mean(2), MEAN_WINDOW, 1, MEAN_WINDOW // 2,
        count_include_pad=False,
    )  # fmt: skip
    detail = in_steps - mean.repeat_interleave(4, 1)
    inside = step.new_ones(n, 1, *cells)
    if parents is None:
        coarser = step.new_zeros(n, 6 * finest.shape[1], *cells)
    else:
        coarser = signed_and_not(doubled(parents.flatten(1, 2), cells))
    maps = [
        detail.clamp(-LARGEST_DETAIL, LARGEST_DETAIL) / 2,
        log_magnitude(detail) * detail.sign(),
        signed_and_not(finest.flatten(1, 2)),
        coarser,
        inside,
        (torch.log2(step) + 4).view(-1, 1, 1, 1) * inside,
        coords.expand(n, -1, -1, -1),
    ]
    return torch.cat(maps, 1)


def folded(image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c4 h2 w2"]:
    """`fold` with odd sizes filled by repetition."""
    odd = (0, image.shape[3] % 2, 0, image.shape[2] % 2)
    return fold(functional.pad(image, odd, mode="replicate") if any(odd) else image)


def cell_coords(
    cells: tuple[int, int], size: tuple[int, int], like: Tensor
) -> Float[Tensor, "2 hc wc"]:
    """Positions of the cells of an image of `size` (height, width): x then y, pixel centres of the
    image in [-1, 1]; a cell's position is that of its middle."""
    y, x = (
        (4 * torch.arange(c, device=like.device, dtype=like.dtype) + 2) / side - 1
        for c, side in zip(cells, size, strict=True)
    )
    return torch.stack([x.expand(cells), y[:, None].expand(cells)])


def corrected(
    network: nn.Module,
    linear: Float[Tensor, "n colours h w"],
    finest: Float[Tensor, "n colours 3 _ _"],
    parents: Float[Tensor, "n colours 3 _ _"] | None,
    step: Float[Tensor, " n"],
) -> Float[Tensor, "n colours h w"]:
    """The reconstruction plus the network's correction."""
    size = (int(linear.shape[2]), int(linear.shape[3]))
    cells = (int(finest.shape[3]), int(finest.shape[4]))
    out = network(maps_of(linear, finest, parents, step, cell_coords(cells, size, linear)))
    return linear + unfold(out.float(), size) * step.view(-1, 1, 1, 1)
