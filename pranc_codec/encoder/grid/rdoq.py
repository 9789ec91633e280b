"""Rate-distortion optimized quantization: symbols are decided while they are coded.

For a latent y in quantization steps, the integer near it with the least
(y - symbol)^2 + lmbda_steps2 * bits is chosen, where bits is its real code length, given all
symbols before it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from torch import Tensor

from pranc_codec.entropy import mixture_coder
from pranc_codec.entropy.mixture_coder import Costs, Distributions
from pranc_codec.entropy.range_coder import Encoder, Integers
from pranc_codec.grid import wavelet
from pranc_codec.grid.blocks import PHASES
from pranc_codec.grid.wavelet import Pyramid


@dataclass(frozen=True, kw_only=True)
class RdoqCoder:
    """Decides the symbols of each phase, and codes them.

    y: latents in quantization steps. size: (height, width) of the image.
    """

    y: Pyramid
    size: tuple[int, int]
    lmbda_steps2: float
    encoder: Encoder

    @cached_property
    def _masks(self) -> list[Tensor]:
        return [wavelet.coded_mask(*size) for size in wavelet.sizes_below(*self.size)]

    def code(self, d: Distributions, key: tuple[int, ...]) -> Integers:
        """Decide, code and return the symbols of a phase; this is a `context_int.CodePhase`."""
        level, colour, phase_number = key
        dy, dx = divmod(PHASES[phase_number], 2)
        plane = self.y.bands[level][0, colour, :, dy::2, dx::2].cpu()
        y = plane[self._masks[level][:, dy::2, dx::2]].numpy()
        symbols = rdoq(y, d, self.lmbda_steps2)
        mixture_coder.encode_phase(self.encoder, symbols, d)
        return symbols


def rdoq(y: npt.NDArray[np.float32], d: Distributions, lmbda_steps2: float) -> Integers:
    """Return the symbol with the least (y - symbol)^2 + lmbda_steps2 * bits for each latent.

    Candidates are the nearest integer, the next one towards zero, and zero.
    """
    nearest = np.rint(y)
    best = nearest.astype(np.int32)
    if lmbda_steps2 == 0:
        return best
    costs = Costs(d)
    best_loss = np.square(y - nearest) + lmbda_steps2 * costs.of(best)
    for candidate in (nearest - np.sign(nearest), np.zeros_like(nearest)):
        symbols = candidate.astype(np.int32)
        loss = np.square(y - candidate) + lmbda_steps2 * costs.of(symbols)
        better = loss < best_loss
        best = np.where(better, symbols, best)
        best_loss = np.where(better, loss, best_loss)
    return best
