"""The grid profile's implementation of the encoder interface."""

from typing import Final

from pranc_codec.encoder.grid.effort import biases_iterations, evaluations_of
from pranc_codec.encoder.grid.encode import encode
from pranc_codec.encoder.grid.tiles import MOST_PIXELS_AT_ONCE
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.encoder.target import Target

MEGAPIXEL: Final = 1e6
CODING_S: Final = 3.5
"""Seconds that the transform and the coding of a megapixel take."""
EVALUATION_S: Final = 3.5
"""Seconds that one network evaluation of a latent fit takes, with its iterations, per megapixel."""
MARGINS: Final = 1.7
"""Number of pixels of all tiles with their margins, relative to that of the image."""
BIASES_ITERATION_S: Final = 0.02
"""Seconds that one iteration of a coefficients-only fit takes, on one window."""


class GridEncoder:
    """Implements `profiles.EncoderProfile`."""

    def estimate_seconds(self, pixels: int, effort: int, target: Target) -> float:
        latents_s = EVALUATION_S * evaluations_of(effort, pixels)
        if pixels > MOST_PIXELS_AT_ONCE:
            latents_s *= MARGINS
        biases_s = BIASES_ITERATION_S * biases_iterations(effort, pixels)
        return pixels / MEGAPIXEL * (CODING_S + latents_s) + biases_s

    def encode(self, request: EncodeRequest, target: Target) -> bytes:
        return encode(request, target)
