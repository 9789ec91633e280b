"""Choose the symbols of the grid profile by rate and distortion, while they are coded.

Of the integers around a coefficient y, in steps, the one with the least (y - symbol)^2 +
price * bits, where bits are those that it will really take, given all symbols before it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from torch import Tensor

from pranc_codec.entropy import mixture_coder, range_coder
from pranc_codec.entropy.mixture_coder import Costs, Distributions
from pranc_codec.grid import wavelet
from pranc_codec.grid.context import PHASES
from pranc_codec.grid.wavelet import Pyramid


@dataclass(frozen=True, kw_only=True)
class Chooser:
    """Chooses the symbols of each step, and codes them."""

    y: Pyramid
    size: tuple[int, int]
    price: float
    encoder: range_coder.Encoder

    @cached_property
    def _masks(self) -> list[Tensor]:
        below = [*wavelet.grids(*self.size)[1:], self.size]
        return [wavelet.present(*size) for size in below]

    def code(self, d: Distributions, key: tuple[int, ...]) -> range_coder.Integers:
        level, colour, step = key
        dy, dx = divmod(PHASES[step], 2)
        plane = self.y.bands[level][0, colour, :, dy::2, dx::2].cpu()
        y = plane[self._masks[level][:, dy::2, dx::2]].numpy()
        symbols = choose(y, d, self.price)
        mixture_coder.encode_step(self.encoder, symbols, d)
        return symbols


def choose(y: npt.NDArray[np.float32], d: Distributions, price: float) -> range_coder.Integers:
    """For each coefficient the symbol of least (y - symbol)^2 + price * bits. Candidates: the
    nearest integer, the next one towards zero, and zero."""
    nearest = np.rint(y)
    best = nearest.astype(np.int32)
    if price == 0:
        return best
    costs = Costs(d)
    best_loss = np.square(y - nearest) + price * costs.of(best)
    for candidate in (nearest - np.sign(nearest), np.zeros_like(nearest)):
        symbols = candidate.astype(np.int32)
        loss = np.square(y - candidate) + price * costs.of(symbols)
        better = loss < best_loss
        best = np.where(better, symbols, best)
        best_loss = np.where(better, loss, best_loss)
    return best
