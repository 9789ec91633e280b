"""The interface of the profiles' encoders, and their registry.

Decoders have their own interface and registry (`pranc_codec.profile`, `decoder.PROFILES`).
"""

from typing import Final, Protocol, runtime_checkable

from pranc_codec.encoder.grid.profile import GridEncoder
from pranc_codec.encoder.mlp.profile import MlpEncoder
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.encoder.target import Target
from pranc_codec.errors import InvalidArgument


@runtime_checkable
class EncoderProfile(Protocol):
    """The encoder of one profile."""

    def estimate_seconds(self, pixels: int, effort: int, target: Target) -> float:
        """Estimate the seconds that `encode` takes on two cores, within a factor of about two."""

    def encode(self, request: EncodeRequest, target: Target) -> bytes:
        """Encode an image to a whole file that meets the target.

        Raises InvalidArgument for an image that is too large for the profile, TargetUnreachable if
        no file meets the target, and whatever the progress callback raises.
        """


ENCODERS: Final[dict[str, EncoderProfile]] = {"grid": GridEncoder(), "mlp": MlpEncoder()}


def encoder_of(profile: str) -> EncoderProfile:
    """Return the encoder of a profile. Raises InvalidArgument for an unknown name."""
    if profile not in ENCODERS:
        raise InvalidArgument(f"profile {profile!r} is unknown: use {' or '.join(ENCODERS)}")
    return ENCODERS[profile]
