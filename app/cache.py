"""The folder of all files of one run of the demo, private and gone after it."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

PREFIX: Final = "pranc-demo-"
LOCK: Final = "in-use.lock"
"""Held by the run whose folder it is; the system lets go of it however the run ends."""


@contextmanager
def private_cache() -> Iterator[Path]:
    """A folder that only this user's processes can read. Removes those of runs that were killed."""
    remove_abandoned(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "files")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    (folder / "files").mkdir()
    with (folder / LOCK).open("w") as lock:
        _try_lock(lock)
        try:
            yield folder / "files"
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(temporary: Path) -> None:
    """Remove this user's folders whose run has ended. Where files cannot be locked, none is."""
    if sys.platform == "win32":
        return
    for folder in temporary.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / LOCK).open("r+") as lock:
                if _try_lock(lock):
                    shutil.rmtree(folder, ignore_errors=True)


def _try_lock(file: IO[str]) -> bool:
    """Lock a file until it is closed; False if another process has."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
