"""How much a decoder may spend on one file."""

from dataclasses import dataclass
from typing import Final

from pranc_codec.errors import LimitExceeded


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on what a file may ask for; nothing beyond them is allocated.

    max_pixels: pixels of the image, and of the part that is computed. max_weights: weights of an
    mlp file's network. max_macs: multiplications that decoding takes. max_metadata_bytes: size of
    the ICC profile, of EXIF and of XMP, each after decompression.
    """

    max_pixels: int = 2**27
    max_weights: int = 2**22
    max_macs: int = 2**43
    max_metadata_bytes: int = 2**24


DEFAULT_LIMITS: Final = Limits()


def refuse(what: str, value: int, limit: int) -> None:
    """Raise LimitExceeded if a file needs more than a limit.

    what: plural name of what is limited, for the text of the error.
    """
    if value > limit:
        raise LimitExceeded(
            f"the file needs {value} {what}, more than the limit of {limit}: raise it with `Limits`"
        )
