"""Files that come from a user and files that go to one."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pranc_codec import InvalidArgument, Limits

LIMITS: Final = Limits(max_pixels=2**24, max_weights=2**20, max_macs=2**41)
"""What the page is willing to spend on a file: 16 megapixels, half a minute."""


def read_upload(path: str | None) -> bytes:
    """The bytes of an uploaded file."""
    if not path:
        raise InvalidArgument("choose a .pranc file first: upload one, or encode a picture")
    return Path(path).read_bytes()


@contextmanager
def download(data: bytes, name: str) -> Iterator[Path]:
    """A file to hand out, which the server copies while the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        yield path
