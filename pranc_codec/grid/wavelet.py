"""The wavelet transform of the grid profile.

It is CDF 9/7 (`lifting`) with symmetric extension, for any size from 1x1 on. It is scaled so that
every synthesis function has a norm near 1, and therefore one quantization step serves all bands.

An axis of length 1 passes through unchanged. Level 1 is the finest. The bands of a level lie on its
grid, whose size is (ceil(h / 2), ceil(w / 2)) if that of the next finer grid is (h, w). If an odd
size leaves a band one row or column short, its last positions hold zero and are not coded
(`coded_mask`).

`Pyramid` holds the coefficients: the coarsest approximation (n, colours, h, w), and the bands of
each level, coarse to fine, (n, colours, 3, h, w): horizontal, vertical and diagonal detail.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from pranc_codec.grid.lifting import merge, split

MOST_LEVELS: Final = 7
SMALLEST_SIDE_LOG2: Final = 2
"""An image whose longest side is 2**n .. 2**(n + 1) - 1 has n - SMALLEST_SIDE_LOG2 levels, so the
longest side of its coarsest approximation is 4 to 8 (more where `MOST_LEVELS` is the limit)."""


@dataclass(frozen=True, kw_only=True)
class Pyramid:
    """Wavelet coefficients of an image, or the integer symbols that stand for them."""

    approximation: Shaped[Tensor, "n colours _ _"]
    bands: tuple[Shaped[Tensor, "n colours 3 _ _"], ...]

    def map(self, change: Callable[[Tensor], Tensor]) -> "Pyramid":
        """Return a pyramid with `change` applied to each tensor."""
        return Pyramid(
            approximation=change(self.approximation), bands=tuple(change(b) for b in self.bands)
        )

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, coarse to fine."""
        return (self.approximation, *self.bands)


def levels_of(height: int, width: int) -> int:
    """Return the number of levels of an image."""
    longest = max(height, width)
    return max(0, min(MOST_LEVELS, longest.bit_length() - 1 - SMALLEST_SIDE_LOG2))


def grids(height: int, width: int) -> list[tuple[int, int]]:
    """Return the size (height, width) of each level's grid, coarse to fine."""
    return [halved(height, width, level) for level in range(levels_of(height, width), 0, -1)]


def sizes_below(height: int, width: int) -> list[tuple[int, int]]:
    """Return the size of the next finer grid for each level, coarse to fine.

    This is the size that a level and the approximation reconstruct. For the finest level it is the
    size of the image.
    """
    return [halved(height, width, level - 1) for level in range(levels_of(height, width), 0, -1)]


def approximation_size(height: int, width: int) -> tuple[int, int]:
    """Return the size of the coarsest approximation; without levels it is that of the image."""
    return halved(height, width, levels_of(height, width))


def halved(height: int, width: int, levels: int) -> tuple[int, int]:
    """Return the size of the grid that is a number of levels coarser."""
    return -(-height >> levels), -(-width >> levels)


def approximation_gain(height: int, width: int, levels: int) -> float:
    """Return the ratio of the approximation's values after some levels to the image's values.

    It is sqrt 2 for each halving of an axis.
    """
    halvings = sum(min(levels, (side - 1).bit_length()) for side in (height, width))
    return float(2 ** (halvings / 2))


def coded_mask(height: int, width: int) -> Bool[Tensor, "3 h w"]:
    """Return where the three bands of a level have coefficients.

    height, width: size of the next finer grid (`sizes_below`).
    """
    mask = torch.ones(3, -(-height // 2), -(-width // 2), dtype=torch.bool)
    if width % 2:
        mask[[0, 2], :, -1] = False
    if height % 2:
        mask[[1, 2], -1, :] = False
    return mask


def analyze(image: Float[Tensor, "n colours h w"]) -> Pyramid:
    """Return the wavelet coefficients of an image; `synthesize` is the inverse."""
    bands = []
    for _ in range(levels_of(*image.shape[2:])):
        low, high = _split(image, 3)
        (image, vertical), (horizontal, diagonal) = _split(low, 2), _split(high, 2)
        grid = image.shape[2:]
        bands.append(torch.stack([_pad(b, grid) for b in (horizontal, vertical, diagonal)], dim=2))
    return Pyramid(approximation=image, bands=tuple(bands[::-1]))


def synthesize(pyramid: Pyramid, height: int, width: int) -> Shaped[Tensor, "n colours h w"]:
    """Reconstruct the image of a pyramid; inverse of `analyze`."""
    image = pyramid.approximation
    for number, bands in enumerate(pyramid.bands, 1):
        size = halved(height, width, len(pyramid.bands) - number)
        image = synthesize_level(image, bands, size)
    return image


def synthesize_level(
    approximation: Shaped[Tensor, "n colours _ _"],
    bands: Shaped[Tensor, "n colours 3 _ _"],
    size: tuple[int, int],
) -> Shaped[Tensor, "n colours h w"]:
    """Reconstruct the approximation on the next finer grid, whose size is (height, width).

    Integers are processed in exact integer arithmetic with rounded lifting steps, so the result is
    the same on every machine.
    """
    (h, w), (fh, fw) = size, (size[0] // 2, size[1] // 2)
    horizontal, vertical, diagonal = bands.unbind(2)
    if h > 1:
        approximation = merge(approximation, vertical[:, :, :fh], 2)
        horizontal = merge(horizontal, diagonal[:, :, :fh], 2)
    return merge(approximation, horizontal[..., :fw], 3) if w > 1 else approximation


def enlarge(
    image: Float[Tensor, "n colours _ _"], size: tuple[int, int]
) -> Float[Tensor, "n colours h w"]:
    """Enlarge an image of half the size, rounded up, to `size` (height, width), without detail."""
    nothing = image.new_zeros(*image.shape[:2], 3, *image.shape[2:])
    return synthesize_level(image * approximation_gain(*size, 1), nothing, size)


def _pad(band: Tensor, grid: torch.Size) -> Tensor:
    missing = (0, grid[1] - band.shape[3], 0, grid[0] - band.shape[2])
    return torch.nn.functional.pad(band, missing) if any(missing) else band


def _split(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return the low-pass and high-pass band along an axis; a single sample passes through."""
    return (x, x.narrow(dim, 0, 0)) if x.shape[dim] == 1 else split(x, dim)
