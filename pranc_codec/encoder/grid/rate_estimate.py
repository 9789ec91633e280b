"""Rate and distortion at any quantization step, estimated from a histogram of wavelet coefficients.

The wavelet is near orthonormal, so the error of a coefficient is an error of the image, and its
bits depend mostly on its size in steps. Both estimates are off by what the context model and the
enhancement network gain, which changes slowly with the step: `step_search` measures it on real
files and corrects for it.
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
"""Magnitudes below this part of a step become zero."""
SMALLEST: Final = FINEST - 64 * 4
LARGEST: Final = 64 * 10
"""Range of the bins. They are a 64th of an octave wide, as the steps are; what is smaller costs
nothing at any step."""
SMALLEST_BITS: Final = 1e-6
"""Keeps logarithms of rates finite."""


@dataclass(frozen=True, kw_only=True)
class RateEstimate:
    """Estimates for one picture, from its wavelet coefficients. pixels: of the picture."""

    coefficients: Pyramid
    pixels: int

    @cached_property
    def _histogram(self) -> npt.NDArray[np.int64]:
        """Coefficients by 64 log2 of their magnitude, `SMALLEST` .. `LARGEST`."""
        counts = np.zeros(LARGEST - SMALLEST + 1, dtype=np.int64)
        for bands in self.coefficients.bands:
            bins = (64 * torch.log2(bands.abs().clamp_min(1e-9))).round().long()
            flat = bins.clamp(SMALLEST, LARGEST).flatten() - SMALLEST
            counts += torch.bincount(flat, minlength=len(counts)).cpu().numpy()
        return counts

    def _in_steps(self, q_step_code: int) -> npt.NDArray[np.float64]:
        """Magnitudes of the bins, in quantization steps."""
        return np.exp2((np.arange(SMALLEST, LARGEST + 1) - q_step_code) / 64)

    def bpp(self, q_step_code: int) -> float:
        """Bits per pixel, about: half the logarithm of 1 + power of each coefficient, as for a
        Gaussian channel."""
        bits = np.log2(1 + np.square(self._in_steps(q_step_code))) / 2
        return max(float(self._histogram @ bits), SMALLEST_BITS) / self.pixels

    def psnr_db(self, q_step_code: int) -> float:
        """PSNR, about: small coefficients are lost, the others have uniform noise."""
        x = self._in_steps(q_step_code)
        lost = np.where(x < DEAD_ZONE, np.square(x), 1 / 12)
        mse = float(self._histogram @ lost) * 2 ** (q_step_code / 32) / (3 * self.pixels)
        return -10 * math.log10(max(mse, 1e-12))
