"""Peak memory of a stretch of work in a process that has done other work before.

Linux keeps a high-water mark of each process's resident set (`VmHWM`) and sets it back to the
present size on request (`clear_refs`). Before that, memory that earlier work has freed is handed
back to the system (`malloc_trim`), so that the mark counts what is alive, libraries included, and
what the work itself takes. The mark is the kernel's: nothing is sampled, so no peak is missed.

Elsewhere a long-lived process cannot tell, and the peak is None.
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


def reset_peak() -> bool:
    """Start a new measurement; whether this system can."""
    release()
    try:
        CLEAR_REFS.write_text(RESET_PEAK)
    except OSError:
        return False
    return True


def release() -> None:
    """Hand memory that is not in use back to the system."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; musl frees at once
        if trim:
            trim(0)


def peak_bytes() -> int | None:
    """Largest resident set since `reset_peak`."""
    match = re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text())
    return 1024 * int(match[1]) if match else None
