"""The encoders of the profiles behind one interface, and their registry.

What a decoder knows of a profile is apart from this (`pranc_codec.profile`, `decoder.PROFILES`).
"""

from typing import Final, Protocol, runtime_checkable

from pranc_codec.encoder.grid.profile import GridEncoder
from pranc_codec.encoder.mlp.profile import MlpEncoder
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.encoder.target import Target
from pranc_codec.errors import InvalidArgument


@runtime_checkable
class EncoderProfile(Protocol):
    """Planning and encoding in one profile."""

    def estimate_seconds(self, pixels: int, effort: int, target: Target) -> float:
        """Seconds that `encode` takes on two cores, within a factor of two or so."""

    def encode(self, request: EncodeRequest, target: Target) -> bytes:
        """A whole file that meets the target.

        Raises InvalidArgument for an image that the profile cannot hold, TargetUnreachable where
        no file meets the target, and whatever the progress callback raises.
        """


ENCODERS: Final[dict[str, EncoderProfile]] = {"grid": GridEncoder(), "mlp": MlpEncoder()}


def encoder_of(profile: str) -> EncoderProfile:
    """The encoder of a profile. Raises InvalidArgument for an unknown name."""
    if profile not in ENCODERS:
        raise InvalidArgument(f"profile {profile!r} is unknown: use {' or '.join(ENCODERS)}")
    return ENCODERS[profile]
