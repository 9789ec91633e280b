"""Estimate rate and distortion at any quantization step from a histogram of wavelet coefficients.

The wavelet is nearly orthonormal, so squared errors of coefficients are squared errors of the
image. The bits of a coefficient depend mostly on its size in steps. Both estimates ignore the gains
of the context model and the enhancement network. These change slowly with the step; `step_search`
measures them on real files and corrects for them.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from pranc_codec.encoder.grid.step_search import FINEST
from pranc_codec.grid.wavelet import Pyramid

DEAD_ZONE: Final = 0.6
"""Magnitudes below this fraction of a step become zero."""
SMALLEST: Final = FINEST - 64 * 4
LARGEST: Final = 64 * 10
"""Range of the bins, which are a 64th of an octave wide, like step codes. Coefficients below it
cost nothing at any step."""
SMALLEST_BITS: Final = 1e-6
"""Lower bound of the bits, which keeps logarithms of rates finite."""


@dataclass(frozen=True, kw_only=True)
class RateEstimate:
    """Estimates for one picture.

    coefficients: its wavelet coefficients. pixels: its number of pixels.
    """

    coefficients: Pyramid
    pixels: int

    @cached_property
    def _histogram(self) -> npt.NDArray[np.int64]:
        """Number of coefficients by 64 log2 of the magnitude, `SMALLEST` .. `LARGEST`."""
        counts = np.zeros(LARGEST - SMALLEST + 1, dtype=np.int64)
        for bands in self.coefficients.bands:
            bins = (64 * torch.log2(bands.abs().clamp_min(1e-9))).round().long()
            flat = bins.clamp(SMALLEST, LARGEST).flatten() - SMALLEST
            counts += torch.bincount(flat, minlength=len(counts)).cpu().numpy()
        return counts

    def _in_steps(self, q_step_code: int) -> npt.NDArray[np.float64]:
        """Return the magnitudes of the bins, in quantization steps."""
        return np.exp2((np.arange(SMALLEST, LARGEST + 1) - q_step_code) / 64)

    def bpp(self, q_step_code: int) -> float:
        """Estimate the bits per pixel.

        A coefficient of x steps costs log2(1 + x^2) / 2 bits, as for a Gaussian channel.
        """
        bits = np.log2(1 + np.square(self._in_steps(q_step_code))) / 2
        return max(float(self._histogram @ bits), SMALLEST_BITS) / self.pixels

    def psnr_db(self, q_step_code: int) -> float:
        """Estimate the PSNR in dB: small coefficients are lost, the others have uniform noise."""
        x = self._in_steps(q_step_code)
        lost = np.where(x < DEAD_ZONE, np.square(x), 1 / 12)
        mse = float(self._histogram @ lost) * 2 ** (q_step_code / 32) / (3 * self.pixels)
        return -10 * math.log10(max(mse, 1e-12))
