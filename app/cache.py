"""A private folder for all files of one run of the demo, which is removed at its end."""

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
"""Name of the file that a run locks in its folder. The system releases the lock when the run ends,
however it ends."""


@contextmanager
def private_cache() -> Iterator[Path]:
    """Make a folder that only this user can read, and remove the folders of killed runs."""
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
    """Remove this user's folders of runs that have ended, except on systems without file locks."""
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
    """Lock a file until it is closed. Return False if another process has locked it."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
