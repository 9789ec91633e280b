"""What a decoder is willing to spend on one file."""

from dataclasses import dataclass
from typing import Final

from pranc_codec.errors import LimitExceeded


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds that are checked from the header alone."""

    max_pixels: int = 2**27
    max_weights: int = 2**22
    max_macs: int = 2**43
    max_metadata_bytes: int = 2**24


DEFAULT_LIMITS: Final = Limits()


def refuse(what: str, value: int, limit: int) -> None:
    """Refuse a file that asks for more than a limit."""
    if value > limit:
        raise LimitExceeded(f"{value} {what} exceed the limit of {limit}: raise it in `Limits`")
