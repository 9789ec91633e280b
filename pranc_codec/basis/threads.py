"""Work that is split into pieces, on as many threads as torch has."""

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
    """Results of `work(first, last)` for each piece, in order.

    On the CPU as many threads as torch has take a whole piece each. torch's own threads would
    split single operations and wait for each other after each of them, which takes longer than
    operations as small as these.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or len(pieces) == 1:
        return [work(*piece) for piece in pieces]
    return list(_workers(threads).map(lambda piece: work(*piece), pieces))


@lru_cache(maxsize=1)
def _workers(threads: int) -> ThreadPoolExecutor:
    """Threads in which operations of torch run on that thread alone."""
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    barrier = Barrier(threads)
    list(pool.map(lambda _: barrier.wait(), range(threads)))  # until all threads have started
    torch.set_num_threads(threads)  # new threads take the last setting
    return pool


if hasattr(os, "register_at_fork"):  # a forked child has none of the threads
    os.register_at_fork(after_in_child=_workers.cache_clear)


def pieces_of(start: int, stop: int, size: int) -> list[tuple[int, int]]:
    """Consecutive ranges (first, last + 1) of at most `size` numbers, from `start` to `stop`."""
    return [(first, min(first + size, stop)) for first in range(start, stop, size)]
