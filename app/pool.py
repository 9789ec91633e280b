"""A pool of worker processes, each with bounded memory, whose tasks have deadlines.

A worker is killed and replaced if it takes too long, if it ends by itself, or if it does not stop
within a second after it is told to. So no file can block the page.
"""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final

from pranc_codec import EncodingCancelled, InvalidArgument

STOP: Final = "stop"
TICK_S: Final = 0.5
"""Interval at which a caller gets control while a task runs."""
GRACE_S: Final = 1.0
"""Time in which a worker must stop by itself."""
START_S: Final = 300.0
"""Time in which a worker must start."""

Entry = Callable[[Connection, int], None]


@dataclass(frozen=True, kw_only=True)
class Worker:
    process: BaseProcess
    connection: Connection


class Pool:
    """Worker processes, which are started when they are needed and are reused.

    A worker sends messages (kind, value, whether it is ready for the next task). `_result` lists
    the kinds of a final message; a message before the end of a task has the kind "said".

    entry: function that a process runs, in an importable module. most: largest number of processes.
    memory_bytes: how much memory each may allocate.
    """

    def __init__(self, entry: Entry, most: int, memory_bytes: int) -> None:
        self._entry = entry
        self._most = most
        self._memory_bytes = memory_bytes
        self._changed = threading.Condition()
        self._idle: list[Worker] = []
        self._all: list[Worker] = []
        self._settling = 0
        self._closed = False

    def warm(self) -> None:
        """Start a worker, if none is idle, and wait until it is ready."""
        for _ in self.run("ready", seconds=START_S):
            pass

    def close(self) -> None:
        """End all work and all workers."""
        with self._changed:
            self._closed = True
            workers = list(self._all)
            self._changed.notify_all()
        for worker in workers:
            self._end(worker)

    def run(self, task: str, *arguments: Any, seconds: float) -> Iterator[Any]:
        """Run a function of `tasks`; yield its messages, then its result.

        Also yields None about twice a second while there is no message. Closing the iterator stops
        the task. Raises InvalidArgument, with a message for the visitor, if the task raises an
        error of the package, takes longer than `seconds` or needs too much memory.
        """
        worker = self._acquire()
        ready = False
        timer = threading.Timer(seconds, worker.process.kill)
        timer.start()
        try:
            worker.connection.send((task, arguments))
            while True:
                if not worker.connection.poll(TICK_S):
                    yield None
                    continue
                kind, value, ready = worker.connection.recv()
                if kind != "said":
                    yield self._result(kind, value)
                    return
                yield value
        except (EOFError, OSError) as error:
            if self._closed:
                raise EncodingCancelled from error
            expired = timer.finished.is_set()
            raise InvalidArgument(
                _too_long(seconds) if expired else self._out_of_memory()
            ) from error
        finally:
            timer.cancel()
            self._leave(worker, ready)

    def _result(self, kind: str, value: Any) -> Any:
        if kind == "done":
            return value
        if kind == "stopped":
            raise EncodingCancelled
        if kind == "refused":
            raise InvalidArgument(value)
        if kind == "memory":
            raise InvalidArgument(self._out_of_memory())
        raise RuntimeError(f"in a worker: {value}")

    def _out_of_memory(self) -> str:
        return (
            f"this needs more than the {self._memory_bytes / 2**30:g} GB of memory that this page "
            "gives to one file: use `pranc` on your own machine"
        )

    def _acquire(self) -> Worker:
        """Wait for a free worker, or start one.

        It waits for a worker that is stopping before it starts another, which takes longer.
        """
        end = time.monotonic() + GRACE_S
        with self._changed:
            while not self._closed:
                if self._idle:
                    worker = self._idle.pop()
                    if worker.process.is_alive():
                        return worker
                    self._all.remove(worker)
                elif self._settling and time.monotonic() < end:
                    self._changed.wait(end - time.monotonic())
                elif len(self._all) < self._most:
                    return self._start()
                else:
                    self._changed.wait()
        raise EncodingCancelled

    def _start(self) -> Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=self._entry, args=(theirs, self._memory_bytes), daemon=True
        )
        process.start()
        theirs.close()
        worker = Worker(process=process, connection=ours)
        self._all.append(worker)
        return worker

    def _leave(self, worker: Worker, ready: bool) -> None:
        """Give a worker back, without waiting until it has stopped."""
        if ready and worker.process.is_alive():
            self._release(worker)
        else:
            with self._changed:
                self._settling += 1
            threading.Thread(target=self._settle, args=(worker,), daemon=True).start()

    def _settle(self, worker: Worker) -> None:
        """Wait until a worker has stopped; replace it if it does not."""
        ready = _stopped(worker)
        with self._changed:
            self._settling -= 1
        if ready:
            self._release(worker)
            return
        self._end(worker)
        with suppress(EncodingCancelled):
            self.warm()

    def _release(self, worker: Worker) -> None:
        with self._changed:
            self._idle.append(worker)
            self._changed.notify()

    def _end(self, worker: Worker) -> None:
        worker.process.kill()
        worker.process.join()
        worker.connection.close()
        with self._changed:
            if worker in self._all:
                self._all.remove(worker)
            self._changed.notify()


def _stopped(worker: Worker) -> bool:
    """Tell a worker to stop; return whether it is ready for the next task within `GRACE_S`."""
    end = time.monotonic() + GRACE_S
    with suppress(EOFError, OSError):
        worker.connection.send(STOP)
        while worker.connection.poll(max(0.0, end - time.monotonic())):
            *_, ready = worker.connection.recv()
            if ready:
                return True
    return False


def _too_long(seconds: float) -> str:
    return (
        f"this took longer than the {seconds:.0f} seconds that this page gives to one file, and "
        "was stopped: use `pranc` on your own machine"
    )
