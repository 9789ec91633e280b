"""Files that come from a user and files that go to one."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from pranc_codec import InvalidArgument, Limits

LIMITS: Final = Limits(max_pixels=2**24, max_weights=2**20, max_macs=2**41)
"""What the page is willing to spend on a file: 16 megapixels, half a minute."""


def read_upload(path: str | None) -> bytes:
    """The bytes of an uploaded file."""
    if not path:
        raise InvalidArgument("choose a .pranc file first: upload one, or encode a picture")
    return Path(path).read_bytes()


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A folder of files to hand out. The server copies them as soon as they are handed over, so
    that one that is being fetched is never written to again."""

    folder: Path

    def write(self, data: bytes, name: str) -> str:
        """A file with these bytes."""
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def write_png(self, pixels: np.ndarray, name: str) -> str:
        """A picture, lossless."""
        path = self.folder / f"{name}.png"
        Image.fromarray(pixels).save(path)
        return str(path)


@contextmanager
def outgoing() -> Iterator[Outgoing]:
    """A folder that is gone after the block."""
    with tempfile.TemporaryDirectory() as folder:
        yield Outgoing(folder=Path(folder))
