"""The inside of a worker process: it takes tasks from the page, one at a time."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import torch

from pranc_codec import EncodingCancelled, PrancError

from . import tasks
from .pool import STOP

LARGEST_IDLE_BYTES: Final = 3 * 2**29
"""A worker that has needed more memory than this is replaced, because it does not give it back."""
WATCH_EVERY_S: Final = 0.2
ADDRESS_SPACE, RESIDENT = 0, 1
NO_MEMORY: Final = ("allocate", "memory", "bad_alloc")


def work(connection: Connection, memory_bytes: int) -> None:
    """Do tasks until the page is gone. memory_bytes: how much may be allocated from now on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the page ends its workers itself
    most_bytes = _used_bytes(ADDRESS_SPACE) + memory_bytes
    _bound_address_space(most_bytes)
    most_bytes = _used_bytes(RESIDENT) + memory_bytes
    threading.Thread(target=_watch, args=(most_bytes,), daemon=True).start()
    with suppress(EOFError, BrokenPipeError):
        while True:
            request = connection.recv()
            if request == STOP:
                continue  # it came after the end
            name, arguments = request
            outcome = _outcome(name, arguments, _speaker(connection))
            ready = outcome[0] != "memory" and _used_bytes(RESIDENT) < LARGEST_IDLE_BYTES
            connection.send((*outcome, ready))
            if not ready:
                return


def _outcome(name: str, arguments: Any, say: Callable[[Any], None]) -> tuple[str, Any]:
    """Run a task: what became of it, and its result or what is wrong."""
    try:
        return "done", getattr(tasks, name)(say, *arguments)
    except EncodingCancelled:
        return "stopped", None
    except PrancError as error:
        return "refused", str(error)
    except MemoryError:
        return "memory", None
    except RuntimeError as error:
        if any(word in str(error) for word in NO_MEMORY):  # as torch says it
            return "memory", None
        return "failed", traceback.format_exc()
    except Exception:
        return "failed", traceback.format_exc()


def _speaker(connection: Connection) -> Callable[[Any], None]:
    """What a task tells its caller with; it raises EncodingCancelled once the caller is gone."""

    def say(value: Any) -> None:
        if connection.poll() and connection.recv() == STOP:
            raise EncodingCancelled
        if value is not None:
            connection.send(("said", value, False))

    return say


def _watch(most_bytes: int) -> None:
    """End this process when the page has ended, or when the limit does not hold it. This is all
    that bounds its memory where the address space cannot be bounded: CUDA reserves much of it."""
    parent = parent_process()
    while parent is not None and parent.is_alive():
        parent.join(WATCH_EVERY_S)
        if _used_bytes(RESIDENT) > most_bytes:
            break
    os._exit(1)


def _bound_address_space(most_bytes: int) -> None:
    """Bound what may be allocated, on systems that can."""
    if sys.platform != "linux" or torch.cuda.is_available():
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


def _used_bytes(kind: int) -> int:
    """Memory of this process, 0 where the system does not tell it. kind: a place in the line."""
    try:
        pages = Path("/proc/self/statm").read_text().split()
    except OSError:
        return 0
    return int(pages[kind]) * os.sysconf("SC_PAGE_SIZE")
