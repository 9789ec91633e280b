"""Measure the peak memory of one piece of work, in a process that has done other work before.

Linux keeps the largest resident set size of each process (`VmHWM`), and resets it to the current
size on request (`clear_refs`). Before the reset, memory that earlier work has freed is returned to
the system (`malloc_trim`). So the peak consists of everything that is in memory at the reset,
libraries included, and of the work's own allocations. The kernel tracks it without sampling, so no
peak is missed.

Other systems offer no such reset, so there the peak is unknown.
"""

import ctypes
import gc
import re
import sys
from pathlib import Path
from typing import Final

STATUS: Final = Path("/proc/self/status")
CLEAR_REFS: Final = Path("/proc/self/clear_refs")
RESET_PEAK: Final = "5"
"""The number that resets VmHWM; see proc(5)."""


def reset_peak() -> bool:
    """Start a new measurement. Returns False where the system cannot reset the peak."""
    release()
    try:
        CLEAR_REFS.write_text(RESET_PEAK)
    except OSError:
        return False
    return True


def release() -> None:
    """Collect garbage and return free memory to the system."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only glibc has it
        if trim:
            trim(0)


def peak_bytes() -> int | None:
    """Return the largest resident set size since `reset_peak`, in bytes; None if it is unknown."""
    match = re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text())
    return 1024 * int(match[1]) if match else None
