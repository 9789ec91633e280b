"""Run pieces of work on as many threads as torch has."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Barrier

import torch
from torch import Tensor


def on_threads(
    work: Callable[[int, int], Tensor], pieces: list[tuple[int, int]], device: torch.device
) -> list[Tensor]:
    """Return the result of `work(first, last)` for each piece, in order.

    On the CPU, as many threads as torch has work on one piece each. torch itself would split every
    single operation among its threads and synchronize them after it, which takes longer than the
    small operations here.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or len(pieces) == 1:
        return [work(*piece) for piece in pieces]
    return list(_workers(threads).map(lambda piece: work(*piece), pieces))


@lru_cache(maxsize=1)
def _workers(threads: int) -> ThreadPoolExecutor:
    """Return a pool of threads, each of which runs its torch operations alone."""
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    barrier = Barrier(threads)
    list(pool.map(lambda _: barrier.wait(), range(threads)))  # until all threads have started
    torch.set_num_threads(threads)  # threads that start later inherit the last setting
    return pool


if hasattr(os, "register_at_fork"):  # a forked child process has none of the threads
    os.register_at_fork(after_in_child=_workers.cache_clear)


def pieces_of(start: int, stop: int, size: int) -> list[tuple[int, int]]:
    """Split start .. stop - 1 into consecutive ranges (first, last + 1) of at most `size`."""
    return [(first, min(first + size, stop)) for first in range(start, stop, size)]
