"""Files that visitors uploaded and files made for them, under names that the server issued.

A client never sends a path. It sends a name, which is only looked up. Names contain 128 random
bits, so only clients that were told a name can fetch the file. Only the session that a file was
made for, or that first used an upload, can give it to a function.
"""

import secrets
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pranc_codec import InvalidArgument

from .allowance import Allowance
from .visitors import SERVER, Visitor

NAME_LENGTH: Final = 80
UNKNOWN: Final = "This is not a file of yours on this server: upload it again"


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A file that clients know by name.

    session: the only session that may use it as an input; empty if all may use it, None for an
    upload that was not used yet. address: the visitor whose limit it counts towards. size: in
    bytes. time: when its name was issued (`time.monotonic`).
    """

    name: str
    path: Path
    session: str | None
    address: str
    size: int
    time: float


class Vault:
    """The registry of issued files, in a folder of its own."""

    def __init__(self, folder: Path, allowance: Allowance) -> None:
        self._folder = folder
        self._allowance = allowance
        self._lock = threading.Lock()
        self._files: dict[str, Issued] = {}
        self._names: dict[Path, str] = {}

    def new_folder(self) -> Path:
        """Make an empty folder whose name nobody can guess."""
        folder = self._folder / secrets.token_hex(16)
        folder.mkdir()
        return folder

    def write(self, data: bytes, name: str, visitor: Visitor) -> str:
        """Write a file for a visitor; return its path for Gradio."""
        path = self.new_folder() / clean(name)
        path.write_bytes(data)
        self._issue(path, visitor.session, visitor.address, len(data))
        return str(path)

    def admit(self, path: Path, address: str) -> str:
        """Issue a name for an upload. The file belongs to the first session that uses it."""
        return self._issue(path, None, address, path.stat().st_size)

    def publish(self, source: Path) -> str:
        """Copy a file for all visitors; return the path of the copy."""
        path = self.new_folder() / clean(source.name)
        shutil.copyfile(source, path)
        self._issue(path, SERVER.session, SERVER.address, path.stat().st_size)
        return str(path)

    def name_of(self, path: Path) -> str:
        """Return the name of a file in the vault."""
        with self._lock:
            return self._names[path]

    def path_for(self, name: str, visitor: Visitor) -> Path:
        """Return the path of a file that a visitor names as an input.

        Raises InvalidArgument, with the same text if there is no such file and if it belongs to
        another session.
        """
        with self._lock:
            file = self._files.get(name)
            if file is None or file.session not in (None, SERVER.session, visitor.session):
                raise InvalidArgument(UNKNOWN)
            if file.session is None:
                self._files[name] = replace(file, session=visitor.session)
            return file.path

    def find(self, name: str) -> Path | None:
        """Return the path of a file to download; None if there is no such file."""
        with self._lock:
            file = self._files.get(name)
        return file.path if file and file.path.is_file() else None

    def has_room(self) -> bool:
        """Return whether all files together leave room for another."""
        self.sweep()
        with self._lock:
            used = sum(file.size for file in self._files.values())
        return used < self._allowance.total_bytes

    def sweep(self) -> None:
        """Delete files that are older than `Allowance.keep_seconds`."""
        end = time.monotonic() - self._allowance.keep_seconds
        with self._lock:
            for file in list(self._files.values()):
                if file.address and file.time < end:
                    self._drop(file)

    def _issue(self, path: Path, session: str | None, address: str, size: int) -> str:
        name = f"{secrets.token_hex(16)}/{path.name}"
        with self._lock:
            self._files[name] = Issued(
                name=name, path=path, session=session, address=address, size=size,
                time=time.monotonic(),
            )  # fmt: skip
            self._names[path] = name
            if address:
                self._bound(address)
        return name

    def _bound(self, address: str) -> None:
        """Delete a visitor's oldest files until the rest is within the limit."""
        files = [file for file in self._files.values() if file.address == address]
        above = sum(file.size for file in files) - self._allowance.visitor_bytes
        for file in files[:-1]:
            if above <= 0:
                return
            above -= file.size
            self._drop(file)

    def _drop(self, file: Issued) -> None:
        """Forget a file and delete it, even if something else already deleted it."""
        self._files.pop(file.name, None)
        self._names.pop(file.path, None)
        with suppress(OSError):
            file.path.unlink(missing_ok=True)
            folder = file.path.parent
            while folder != self._folder and not any(folder.iterdir()):
                folder.rmdir()
                folder = folder.parent


def clean(name: str) -> str:
    """Return a file name without special characters and of bounded length."""
    kept = "".join(c if c.isalnum() or c in " ._-" else "_" for c in name)
    stem, dot, suffix = kept.rpartition(".")
    short = f"{stem[: NAME_LENGTH - len(suffix) - 1]}{dot}{suffix[: NAME_LENGTH // 2]}"
    return short.lstrip(". ") or "file"
