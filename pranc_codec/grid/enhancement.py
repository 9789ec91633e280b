"""The enhancement network of the grid profile: it corrects the output of the inverse wavelet.

Its receptive field is 13x13 cells of 2x2 pixels. At each cell its inputs are

    detail      the reconstruction minus its local mean, in quantization steps: clamped, and as
                log-magnitudes with their sign
    symbols     those of the two finest levels, as log-magnitudes with their sign and without
    constants   1 inside the image, the quantization step, and the position (x, y) in [-1, 1]

Its output is a correction, in quantization steps, of the cell's four pixels in each colour. The
last layer is initialized to zero.

The weights ship with the package (`prior`). A file may change the biases of all channels, which
are then PRANC weights around the shipped ones:

    biases = prior + BIAS_SCALE * basis(seed) @ coefficients

Whole layers and the last layer were tried too; coefficients improve an image most in the biases.
"""

import itertools
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pranc_codec.grid.architecture import ARCHITECTURE_1, MEAN_WINDOW, Architecture
from pranc_codec.grid.blocks import (
    cells_of,
    depth_to_space,
    log_magnitude,
    signed_and_magnitude,
    space_to_depth,
    upsample_nearest,
)
from pranc_codec.pranc.model import Pranc

BIAS_SCALE: Final = 0.1
"""PRANC scale of the biases: the factor of basis @ coefficients."""
LARGEST_DETAIL: Final = 8.0


def input_channels(colours: int) -> int:
    """Return the number of the network's input maps."""
    return 8 * colours + 12 * colours + 4


def layer_channels(architecture: Architecture, colours: int = 3) -> list[int]:
    """Return the number of output channels of each layer. Each channel has a bias."""
    hidden = [architecture.enhancement_channels] * (architecture.enhancement_middle_layers + 1)
    return [*hidden, 4 * colours]


class Biases(nn.Module):
    """The biases of all layers in one vector, so that one PRANC layer can generate them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(count))

    def forward(self) -> Float[Tensor, " channels"]:
        return self.values


class EnhancementNetwork(nn.Module):
    """The network that maps its inputs to a correction, both on the grid of cells.

    colours: 1 (grey) or 3.
    """

    def __init__(self, architecture: Architecture = ARCHITECTURE_1, colours: int = 3) -> None:
        super().__init__()
        self.architecture = architecture
        self._channels = layer_channels(architecture, colours)
        sizes = [input_channels(colours), *self._channels]
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in itertools.pairwise(sizes)
        )
        self.biases: nn.Module = Biases(sum(self._channels))
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]

    def forward(self, maps: Float[Tensor, "n maps h w"]) -> Float[Tensor, "n c4 h w"]:
        biases = torch.split(self.biases(), self._channels)
        first, *middle, last = zip(self.layers, biases, strict=True)
        h = functional.relu(_convolved(maps.contiguous(memory_format=torch.channels_last), *first))
        for one, two in zip(middle[::2], middle[1::2], strict=True):
            h = functional.relu(h + _convolved(functional.relu(_convolved(h, *one)), *two))
        return _convolved(h, *last)


def generated_biases(network: EnhancementNetwork) -> Pranc:
    """Return the generated biases of a network that `decode.build_network` built."""
    assert isinstance(network.biases, Pranc)
    return network.biases


def _convolved(x: Tensor, layer: nn.Module, bias: Tensor) -> Tensor:
    """Apply a layer's convolution with a bias.

    If only the bias needs a gradient, it is added afterwards, because oneDNN computes the gradients
    of all weights together with that of its bias argument.
    """
    assert isinstance(layer, nn.Conv2d)
    if bias.requires_grad and not layer.weight.requires_grad:
        return functional.conv2d(x, layer.weight, padding=1) + bias[:, None, None]
    return functional.conv2d(x, layer.weight, bias, padding=1)


def maps_of(
    linear: Float[Tensor, "n colours h w"],
    finest: Float[Tensor, "n colours 3 hc wc"],
    parents: Float[Tensor, "n colours 3 _ _"] | None,
    q_step: Float[Tensor, " n"],
    coords: Float[Tensor, "2 hc wc"],
) -> Float[Tensor, "n maps hc wc"]:
    """Return the network's input maps.

    linear: output of the inverse wavelet. finest, parents: symbols of the two finest levels.
    q_step: quantization step of each image. coords: positions of the cells.
    """
    n, cells = len(q_step), (int(finest.shape[3]), int(finest.shape[4]))
    in_steps = _space_to_depth_replicated(linear) / q_step.view(-1, 1, 1, 1)
    mean = functional.avg_pool2d(
        in_steps.view(n, -1, 4, *cells).mean(2), MEAN_WINDOW, 1, MEAN_WINDOW // 2,
        count_include_pad=False,
    )  # fmt: skip
    detail = in_steps - mean.repeat_interleave(4, 1)
    inside = q_step.new_ones(n, 1, *cells)
    if parents is None:
        coarser = q_step.new_zeros(n, 6 * finest.shape[1], *cells)
    else:
        coarser = signed_and_magnitude(upsample_nearest(parents.flatten(1, 2), cells))
    maps = [
        detail.clamp(-LARGEST_DETAIL, LARGEST_DETAIL) / 2,
        log_magnitude(detail) * detail.sign(),
        signed_and_magnitude(finest.flatten(1, 2)),
        coarser,
        inside,
        (torch.log2(q_step) + 4).view(-1, 1, 1, 1) * inside,
        coords.expand(n, -1, -1, -1),
    ]
    return torch.cat(maps, 1)


def _space_to_depth_replicated(image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c4 h2 w2"]:
    """Apply `space_to_depth`, padding odd sizes by repeating the last row or column."""
    odd = (0, image.shape[3] % 2, 0, image.shape[2] % 2)
    return space_to_depth(functional.pad(image, odd, mode="replicate") if any(odd) else image)


def cell_coords(size: tuple[int, int], like: Tensor) -> Float[Tensor, "2 hc wc"]:
    """Return the positions of the centres of an image's cells, x then y.

    size: (height, width) of the image, whose pixel centres lie in [-1, 1]. like: a tensor with the
    device and the type of the result.
    """
    cells = cells_of(size)
    y, x = (
        (4 * torch.arange(c, device=like.device, dtype=like.dtype) + 2) / side - 1
        for c, side in zip(cells, size, strict=True)
    )
    return torch.stack([x.expand(cells), y[:, None].expand(cells)])


def enhanced(
    network: nn.Module,
    linear: Float[Tensor, "n colours h w"],
    finest: Float[Tensor, "n colours 3 _ _"],
    parents: Float[Tensor, "n colours 3 _ _"] | None,
    q_step: Float[Tensor, " n"],
) -> Float[Tensor, "n colours h w"]:
    """Return the output of the inverse wavelet plus the correction of the network.

    The arguments are those of `maps_of`.
    """
    size = (int(linear.shape[2]), int(linear.shape[3]))
    out = network(maps_of(linear, finest, parents, q_step, cell_coords(size, linear)))
    return linear + depth_to_space(out.float(), size) * q_step.view(-1, 1, 1, 1)
