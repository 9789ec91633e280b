"""Worker processes of this machine: each lives for many units and has a budget of threads.

A unit that kills its worker (a crash in a library, the system's out-of-memory killer) costs only
itself: the units that ran beside it are run again, one at a time, so that the guilty one is known.
"""

import os
import re
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from typing import Final

from loky import cpu_count
from loky.process_executor import ProcessPoolExecutor, TerminatedWorkerError

from pranc_codec.evaluate.harness.measure import measure
from pranc_codec.evaluate.harness.store import Result, Unit

Outcome = tuple[Result, bytes] | str  # a result and the encoded file, or what went wrong
Numbered = tuple[int, Unit]
THREAD_BUDGETS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def threads_of(jobs: int) -> int:
    """Of each process: its share of the cores that this one may use (affinity and quotas, which
    `taskset`, containers and batch systems set)."""
    return max(1, int(cpu_count()) // jobs)


def outcomes_of(units: Iterable[Numbered], jobs: int) -> Generator[tuple[int, Outcome]]:
    """Measure numbered units in `jobs` processes, which share the machine's threads evenly.

    Yields outcomes as they come. Closing the generator kills the processes.
    """
    waiting = deque(units)
    threads = threads_of(jobs)
    while waiting:
        suspects, _ = yield from _until_a_worker_dies(waiting, jobs, threads)
        for suspect in suspects:
            guilty, why = yield from _until_a_worker_dies(deque([suspect]), 1, threads)
            for index, _ in guilty:
                yield index, f"its process ended with {why}"


def _until_a_worker_dies(
    waiting: deque[Numbered], jobs: int, threads: int
) -> Generator[tuple[int, Outcome], None, tuple[list[Numbered], str]]:
    """Work `waiting` off; returns what ran when a worker died, and why; nothing if none did.

    No more units are handed out than run at once, so that the suspects are few.
    """
    running: dict[Future[Outcome], Numbered] = {}
    with _pool(min(jobs, len(waiting)), threads) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running[pool.submit(attempt, waiting[0][1])] = waiting[0]
                    waiting.popleft()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    outcome = future.result()
                    yield running.pop(future)[0], outcome
        except TerminatedWorkerError as error:
            return list(running.values()), _exit_code(error)
    return [], ""


def attempt(unit: Unit) -> Outcome:
    """Measure in this process; an error becomes a text."""
    try:
        return measure(unit)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@contextmanager
def _pool(processes: int, threads: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that are killed when the block ends, whatever they do."""
    budget = dict.fromkeys(THREAD_BUDGETS, str(threads))
    pool = ProcessPoolExecutor(
        processes, initializer=_start_worker, initargs=(os.getpid(),), env=budget
    )
    try:
        yield pool
    finally:
        pool.shutdown(kill_workers=True)


def _start_worker(parent: int) -> None:
    """Leave Ctrl-C to the parent, which kills its workers; end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _exit_code(error: TerminatedWorkerError) -> str:
    """The part of the message that tells how the worker ended, such as `EXIT(33)`."""
    found = re.search(r"exit codes of the workers are \{(.*)\}", str(error))
    return f"{found[1] if found else 'no exit code'} (SIGKILL: out of memory?)"
