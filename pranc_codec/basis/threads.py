"""Work in pieces on as many threads as torch has."""

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
    """Results of `work` for each piece, in order; on a processor by as many threads as torch has.

    torch's own threads share out single operations and wait for each other after each, which these
    small ones are not worth; here a thread takes a whole piece.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or len(pieces) == 1:
        return [work(*piece) for piece in pieces]
    return list(_workers(threads).map(lambda piece: work(*piece), pieces))


@lru_cache(maxsize=1)
def _workers(threads: int) -> ThreadPoolExecutor:
    """Threads in which operations of torch start no further ones."""
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    barrier = Barrier(threads)
    list(pool.map(lambda _: barrier.wait(), range(threads)))  # all have started
    torch.set_num_threads(threads)  # for threads yet to come, which take the last setting
    return pool


if hasattr(os, "register_at_fork"):  # a child that was forked has none of the threads
    os.register_at_fork(after_in_child=_workers.cache_clear)


def pieces_of(start: int, stop: int, size: int) -> list[tuple[int, int]]:
    """Ranges of at most `size` numbers that make up start .. stop - 1."""
    return [(first, min(first + size, stop)) for first in range(start, stop, size)]
