"""A folder of files, on this machine or at any URL that fsspec supports."""

import os
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from pranc_codec.files import write_atomically

READERS: Final = 8
"""Files that are read at the same time, because remote stores have a high latency."""


class Folder:
    """Files by name. Each file is complete or absent at any time, even if a writer is killed."""

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.url = os.fspath(url)
        self._system, self._root = url_to_fs(self.url)

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of those of the named files that exist."""
        present = self.names()
        wanted = [name for name in names if name in present]
        with ThreadPoolExecutor(READERS) as readers:
            contents = readers.map(lambda name: self._system.cat_file(self._path(name)), wanted)
            return dict(zip(wanted, contents, strict=True))

    def write(self, name: str, content: bytes) -> None:
        """Write a file, replacing any earlier one."""
        path = self._path(name)
        if isinstance(self._system, LocalFileSystem):
            with write_atomically(path) as file:
                file.write(content)
            return
        self._system.makedirs(self._root, exist_ok=True)
        part = self._path(f".{name}.{uuid.uuid4().hex}.part")
        self._system.pipe_file(part, content)
        self._system.mv(part, path)

    def names(self) -> set[str]:
        """Return the names of all files; none if the folder does not exist."""
        try:
            listed = self._system.ls(self._root, detail=False, refresh=True)
        except FileNotFoundError:
            return set()
        return {path.rsplit("/", 1)[-1] for path in listed}

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"
