"""The code of a worker process, which runs tasks for the page, one at a time."""

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
"""A worker that uses more memory than this after a task is replaced, to free the memory."""
WATCH_EVERY_S: Final = 0.2
ADDRESS_SPACE, RESIDENT = 0, 1
NO_MEMORY: Final = ("allocate", "memory", "bad_alloc")


def work(connection: Connection, memory_bytes: int) -> None:
    """Run tasks until the page has ended. memory_bytes: how much memory may still be allocated."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the page ends its workers itself
    most_bytes = _used_bytes(ADDRESS_SPACE) + memory_bytes
    _bound_address_space(most_bytes)
    most_bytes = _used_bytes(RESIDENT) + memory_bytes
    threading.Thread(target=_watch, args=(most_bytes,), daemon=True).start()
    with suppress(EOFError, BrokenPipeError):
        while True:
            request = connection.recv()
            if request == STOP:
                continue  # it arrived after the task had ended
            name, arguments = request
            outcome = _outcome(name, arguments, _speaker(connection))
            ready = outcome[0] != "memory" and _used_bytes(RESIDENT) < LARGEST_IDLE_BYTES
            connection.send((*outcome, ready))
            if not ready:
                return


def _outcome(name: str, arguments: Any, say: Callable[[Any], None]) -> tuple[str, Any]:
    """Run a task; return the kind of its outcome, and its result or the error text."""
    try:
        return "done", getattr(tasks, name)(say, *arguments)
    except EncodingCancelled:
        return "stopped", None
    except PrancError as error:
        return "refused", str(error)
    except MemoryError:
        return "memory", None
    except RuntimeError as error:
        if any(word in str(error) for word in NO_MEMORY):  # words of torch's error
            return "memory", None
        return "failed", traceback.format_exc()
    except Exception:
        return "failed", traceback.format_exc()


def _speaker(connection: Connection) -> Callable[[Any], None]:
    """Return the function with which a task sends messages to its caller.

    It raises EncodingCancelled when the caller has told the worker to stop.
    """

    def say(value: Any) -> None:
        if connection.poll() and connection.recv() == STOP:
            raise EncodingCancelled
        if value is not None:
            connection.send(("said", value, False))

    return say


def _watch(most_bytes: int) -> None:
    """End this process when the page has ended, or when it uses too much memory.

    This is the only limit on memory if the address space cannot be limited, as with CUDA, which
    reserves much of it.
    """
    parent = parent_process()
    while parent is not None and parent.is_alive():
        parent.join(WATCH_EVERY_S)
        if _used_bytes(RESIDENT) > most_bytes:
            break
    os._exit(1)


def _bound_address_space(most_bytes: int) -> None:
    """Limit the address space of this process, on systems that support it."""
    if sys.platform != "linux" or torch.cuda.is_available():
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


def _used_bytes(kind: int) -> int:
    """Return the memory of this process in bytes; 0 if the system does not provide it.

    kind: `ADDRESS_SPACE` or `RESIDENT`.
    """
    try:
        pages = Path("/proc/self/statm").read_text().split()
    except OSError:
        return 0
    return int(pages[kind]) * os.sysconf("SC_PAGE_SIZE")
