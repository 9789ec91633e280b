"""Control lambda during a fit: it is fixed, or steered towards a rate."""

import math
from dataclasses import dataclass
from typing import Final

EXPONENT: Final = 0.2
STEERING: Final = 0.02
"""Largest change of log(lambda) in one iteration."""


@dataclass(frozen=True, kw_only=True)
class LmbdaControl:
    """A fixed `lmbda` in MSE per bpp, or a wanted `bpp` that lambda is steered towards.

    Where distortion falls as bpp**-p, the optimum at a rate has lmbda = p * distortion / bpp.
    `EXPONENT` is below the p = 0.5 of coordinate networks (1.5 dB per doubling of the rate),
    because a smaller network with finer steps is fitted sooner than a larger one with coarser
    steps.
    """

    lmbda: float | None = None
    bpp: float | None = None

    def start(self, distortion: float) -> float:
        """Return the lambda to begin quantization with, given the distortion so far."""
        if self.lmbda is not None:
            return self.lmbda
        assert self.bpp is not None
        return EXPONENT * distortion / self.bpp

    def steered(self, lmbda: float, bpp_estimate: float) -> float:
        """Return the lambda of the next iteration, raised or lowered to approach a wanted `bpp`."""
        if self.bpp is None:
            return lmbda
        error = math.log(max(bpp_estimate, 1e-9) / self.bpp)
        return lmbda * math.exp(STEERING * max(-1.0, min(1.0, error)))
