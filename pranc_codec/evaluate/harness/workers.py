"""Worker processes on this machine. Each measures many units and has a budget of threads.

A unit can kill its worker, by a crash in a library or through the system's out-of-memory killer.
Then the units that ran at the same time are measured again one by one, so only the unit that kills
its worker again fails.
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

Outcome = tuple[Result, bytes] | str
"""A result with the encoded file, or the text of an error."""
NumberedUnit = tuple[int, Unit]
THREAD_BUDGETS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def threads_per_process(processes: int) -> int:
    """Divide the cores of this process evenly among workers; each gets at least one thread.

    Only cores that this process may use are counted: `taskset`, containers and batch systems set
    affinities and quotas.
    """
    return max(1, int(cpu_count()) // processes)


def outcomes_of(units: Iterable[NumberedUnit], jobs: int) -> Generator[tuple[int, Outcome]]:
    """Measure numbered units in `jobs` processes, which share the machine's threads evenly.

    Yields each unit's number and outcome as it arrives. Closing the generator kills the processes.
    """
    waiting = deque(units)
    threads = threads_per_process(jobs)
    while waiting:
        suspects, _ = yield from _until_a_worker_dies(waiting, jobs, threads)
        for suspect in suspects:
            guilty, reason = yield from _until_a_worker_dies(deque([suspect]), 1, threads)
            for number, _ in guilty:
                yield number, f"its process ended with {reason}"


def _until_a_worker_dies(
    waiting: deque[NumberedUnit], jobs: int, threads: int
) -> Generator[tuple[int, Outcome], None, tuple[list[NumberedUnit], str]]:
    """Measure the waiting units until all are done or a worker dies.

    Returns the units that were running when a worker died, and its exit code; an empty list if none
    died. Only as many units are handed out as run at the same time, so that the suspects are few.
    """
    running: dict[Future[Outcome], NumberedUnit] = {}
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
    """Measure a unit in this process; an exception becomes the text of its outcome."""
    try:
        return measure(unit)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@contextmanager
def _pool(processes: int, threads: int) -> Iterator[ProcessPoolExecutor]:
    """Start worker processes; they are killed when the block ends, even in the middle of a unit."""
    budget = dict.fromkeys(THREAD_BUDGETS, str(threads))
    pool = ProcessPoolExecutor(
        processes, initializer=_start_worker, initargs=(os.getpid(),), env=budget
    )
    try:
        yield pool
    finally:
        pool.shutdown(kill_workers=True)


def _start_worker(parent: int) -> None:
    """Ignore Ctrl-C, which the parent handles by killing its workers, and watch the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: int) -> None:
    """End this process once its parent has ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _exit_code(error: TerminatedWorkerError) -> str:
    """Return the part of the message that says how the worker ended, such as `EXIT(33)`."""
    found = re.search(r"exit codes of the workers are \{(.*)\}", str(error))
    return f"{found[1] if found else 'no exit code'} (SIGKILL: out of memory?)"
