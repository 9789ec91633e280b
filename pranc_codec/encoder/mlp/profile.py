"""The mlp profile's implementation of the encoder interface."""

from typing import Final

from pranc_codec.encoder.mlp.encode import encode, iterations_of
from pranc_codec.encoder.mlp.plan import MlpRule, bpp_of_lmbda, bpp_of_quality, plan_for
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.encoder.target import (
    DEFAULT_QUALITY,
    BppTarget,
    LmbdaTarget,
    QualityTarget,
    Target,
)

ITERATION_S: Final = 3e-3
"""Seconds of one iteration of a fit, whatever the network."""
WEIGHT_S: Final = 0.27e-6
"""Seconds that each weight adds to an iteration."""


class MlpEncoder:
    """Implements `profiles.EncoderProfile`."""

    def estimate_seconds(self, pixels: int, effort: int, target: Target) -> float:
        weights = plan_for(_nominal_bpp(target), pixels, 3, MlpRule()).shape.weights
        return iterations_of(effort) * (ITERATION_S + WEIGHT_S * weights)

    def encode(self, request: EncodeRequest, target: Target) -> bytes:
        return encode(request, target)


def _nominal_bpp(target: Target) -> float:
    """Return the rate that decides the network's size; for a PSNR, that of the default quality."""
    match target:
        case BppTarget(bpp=bpp):
            return bpp
        case LmbdaTarget(lmbda=lmbda):
            return bpp_of_lmbda(lmbda)
        case QualityTarget(quality=quality):
            return bpp_of_quality(quality)
    return bpp_of_quality(DEFAULT_QUALITY)
