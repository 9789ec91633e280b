"""The linear path of the grid profile: RGB <-> wavelet coefficients of three opponent colours.

    colours       orthonormal: luminance (1, 1, 1) / sqrt 3, then (1, 0, -1) / sqrt 2 and
                  (1, -2, 1) / sqrt 6
    transform     CDF 9/7 (`lifting`) with symmetric extension, for any size from 1x1, scaled so
                  that every synthesis function has a norm near 1: one quantization step then
                  serves all bands

An axis of length 1 passes through unchanged. Level 1 is the finest. The bands of a level lie on
its grid, (ceil(h / 2), ceil(w / 2)) of the grid below; where an odd size leaves a band one row or
column short, that place holds zero and is not coded (`present`).

`Pyramid` holds the coefficients: `low` (n, colours, h, w) of the coarsest level, and `bands`,
coarse to fine, each (n, colours, 3, h, w): horizontal, vertical and diagonal detail.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from pranc_codec.grid.lifting import merge, split

MOST_LEVELS: Final = 7
SMALLEST_SIDE_LOG2: Final = 2
"""A longest side of 2**n .. 2**(n + 1) - 1 has n - SMALLEST_SIDE_LOG2 levels, so that of the low
band has 4 to 8 samples (more at the most levels)."""
OPPONENT: Final = (
    (1 / math.sqrt(3), 1 / math.sqrt(3), 1 / math.sqrt(3)),
    (1 / math.sqrt(2), 0.0, -1 / math.sqrt(2)),
    (1 / math.sqrt(6), -2 / math.sqrt(6), 1 / math.sqrt(6)),
)


@dataclass(frozen=True, kw_only=True)
class Pyramid:
    """Coefficients of an image, or the integers that stand for them; see the module's text."""

    low: Shaped[Tensor, "n colours _ _"]
    bands: tuple[Shaped[Tensor, "n colours 3 _ _"], ...]

    def map(self, change: Callable[[Tensor], Tensor]) -> "Pyramid":
        """The pyramid with `change` applied to each tensor."""
        return Pyramid(low=change(self.low), bands=tuple(change(b) for b in self.bands))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, coarse to fine."""
        return (self.low, *self.bands)


def levels_of(height: int, width: int) -> int:
    """Number of levels of an image."""
    longest = max(height, width)
    return max(0, min(MOST_LEVELS, longest.bit_length() - 1 - SMALLEST_SIDE_LOG2))


def grids(height: int, width: int) -> list[tuple[int, int]]:
    """Grid of each level, coarse to fine."""
    return [halved(height, width, level) for level in range(levels_of(height, width), 0, -1)]


def halved(height: int, width: int, levels: int) -> tuple[int, int]:
    """Grid that is so many levels coarser."""
    return -(-height >> levels), -(-width >> levels)


def low_gain(height: int, width: int, levels: int) -> float:
    """How much larger than the image's the low band's values are after so many levels: sqrt 2 for
    each halving of an axis."""
    halvings = sum(min(levels, (side - 1).bit_length()) for side in (height, width))
    return float(2 ** (halvings / 2))


def present(height: int, width: int) -> Bool[Tensor, "3 h w"]:
    """Where the three bands of the level below (height, width) have coefficients."""
    mask = torch.ones(3, -(-height // 2), -(-width // 2), dtype=torch.bool)
    if width % 2:
        mask[[0, 2], :, -1] = False
    if height % 2:
        mask[[1, 2], -1, :] = False
    return mask


def to_opponent(rgb: Float[Tensor, "n colours h w"]) -> Float[Tensor, "n colours h w"]:
    """RGB to opponent colours; `to_rgb` is the inverse."""
    return torch.einsum("cd,ndhw->nchw", torch.tensor(OPPONENT, dtype=torch.float64).to(rgb), rgb)


def to_rgb(opponent: Float[Tensor, "n colours h w"]) -> Float[Tensor, "n colours h w"]:
    """Inverse of `to_opponent`."""
    return torch.einsum(
        "dc,ndhw->nchw", torch.tensor(OPPONENT, dtype=torch.float64).to(opponent), opponent
    )


def analyze(image: Float[Tensor, "n colours h w"]) -> Pyramid:
    """Wavelet coefficients of an image; `synthesize` is the inverse."""
    bands = []
    for _ in range(levels_of(*image.shape[2:])):
        low, high = _split(image, 3)
        (image, vertical), (horizontal, diagonal) = _split(low, 2), _split(high, 2)
        grid = image.shape[2:]
        bands.append(torch.stack([_pad(b, grid) for b in (horizontal, vertical, diagonal)], dim=2))
    return Pyramid(low=image, bands=tuple(bands[::-1]))


def synthesize(pyramid: Pyramid, height: int, width: int) -> Shaped[Tensor, "n colours h w"]:
    """Image of a pyramid; inverse of `analyze`."""
    image = pyramid.low
    for number, bands in enumerate(pyramid.bands, 1):
        size = halved(height, width, len(pyramid.bands) - number)
        image = synthesize_level(image, bands, size)
    return image


def synthesize_level(
    low: Shaped[Tensor, "n colours _ _"],
    bands: Shaped[Tensor, "n colours 3 _ _"],
    size: tuple[int, int],
) -> Shaped[Tensor, "n colours h w"]:
    """The low band of the next finer grid. On integers it is exact integer arithmetic (each
    lifting step rounded), the same on every machine."""
    (h, w), (fh, fw) = size, (size[0] // 2, size[1] // 2)
    horizontal, vertical, diagonal = bands.unbind(2)
    if h > 1:
        low = merge(low, vertical[:, :, :fh], 2)
        horizontal = merge(horizontal, diagonal[:, :, :fh], 2)
    return merge(low, horizontal[..., :fw], 3) if w > 1 else low


def enlarge(
    image: Float[Tensor, "n colours _ _"], size: tuple[int, int]
) -> Float[Tensor, "n colours h w"]:
    """An image of half the size, rounded up, at `size` (height, width), without more detail."""
    nothing = image.new_zeros(*image.shape[:2], 3, *image.shape[2:])
    return synthesize_level(image * low_gain(*size, 1), nothing, size)


def _pad(band: Tensor, grid: torch.Size) -> Tensor:
    missing = (0, grid[1] - band.shape[3], 0, grid[0] - band.shape[2])
    return torch.nn.functional.pad(band, missing) if any(missing) else band


def _split(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Low and high band along an axis; one sample passes through."""
    return (x, x.narrow(dim, 0, 0)) if x.shape[dim] == 1 else split(x, dim)
