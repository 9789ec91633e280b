"""The number of threads that a measuring process may use."""

import os


def thread_budget() -> int:
    """Return the thread count in OMP_NUM_THREADS, or the number of processors without it.

    Libraries that start threads of their own do not read that variable and must be told.
    """
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
