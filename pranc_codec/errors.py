"""Every error that this package raises on purpose, and the warning about renamed names.

PrancError
|-- InvalidArgument        (also ValueError)   an argument is wrong, or arguments contradict
|   |-- ModelMismatch                          the file belongs to another module or prior
|   `-- TargetUnreachable                      no file of this image meets the bpp or PSNR
|-- BitstreamError         (also ValueError)   the bytes cannot be decoded
|   |-- NotPranc                               they are of another format
|   |-- UnsupportedVersion                     a newer release wrote them
|   |-- TruncatedBitstream                     the file ends too early
|   |-- CorruptBitstream                       a checksum or a field is wrong
|   `-- LimitExceeded                          legal, but larger than the caller's `Limits`
`-- EncodingCancelled                          raised by a progress callback to stop an encoding
"""

import warnings
from typing import Any


class PrancError(Exception):
    """Base of all errors of `pranc_codec`."""


class InvalidArgument(PrancError, ValueError):
    """An argument is outside its range, or arguments contradict each other."""


class TargetUnreachable(InvalidArgument):
    """The wanted bpp or PSNR cannot be met; the message says what was reached."""


class ModelMismatch(InvalidArgument):
    """The file was written for another module, other scales or another prior."""


class BitstreamError(PrancError, ValueError):
    """The bytes cannot be decoded. For wrong bytes, decoders raise nothing but this."""


class NotPranc(BitstreamError):
    """The bytes do not start with this format's signature."""


class UnsupportedVersion(BitstreamError):
    """The file's version or profile is unknown to this release."""


class TruncatedBitstream(BitstreamError):
    """The bytes end before the file does."""


class CorruptBitstream(BitstreamError):
    """A checksum does not match, or a field has an illegal value."""


class LimitExceeded(BitstreamError):
    """The file is legal, but it needs more pixels, weights or bytes than `Limits` allows."""


class EncodingCancelled(PrancError):
    """A progress callback may raise this to stop the encoding; then no file is written."""


def warn_renamed(old: str, new: str, *, stacklevel: int = 2) -> None:
    """Give a DeprecationWarning for a former name that still works.

    The warning points at the caller of the function that calls this. stacklevel: 2 for that
    caller, 3 for the one above it.
    """
    text = f"{old} is now called {new}: use that name"
    warnings.warn(text, DeprecationWarning, stacklevel=stacklevel + 1)


def renamed_attribute(old: str, new: str) -> Any:
    """Return a property that gives the attribute `new` under its former name, with a warning."""

    def get(self: object) -> Any:
        warn_renamed(f"{type(self).__name__}.{old}", new)
        return getattr(self, new)

    return property(get, doc=f"Former name of `{new}`.")
