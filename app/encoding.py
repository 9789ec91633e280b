"""One encoding in a thread, told live, stopped when nobody listens.

Encodings run on `jobs` threads; a caller beyond these waits. A fit can only be stopped from within
its progress callback, so the callback asks whether anyone still listens.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final

import numpy as np
from PIL import Image

import pranc_codec
from pranc_codec import EncodingCancelled, Progress

TELL_EVERY_S: Final = 0.5
PREVIEW_EVERY_S: Final = 1.0

Report = tuple[Progress, np.ndarray | None]

_threads = ThreadPoolExecutor(max_workers=1)
_stopping = threading.Event()


@dataclass(frozen=True, kw_only=True)
class Told:
    """How an encoding stands. preview: a new one, or None. data: the file, at the end."""

    seconds: float
    losses: tuple[float, ...]
    progress: Progress | None
    preview: np.ndarray | None
    data: bytes | None = None


def start(jobs: int) -> None:
    """Run so many encodings at the same time from now on."""
    global _threads
    _threads = ThreadPoolExecutor(max_workers=jobs)
    _stopping.clear()


def stop() -> None:
    """Stop all encodings."""
    _stopping.set()
    _threads.shutdown(cancel_futures=True)


def encode_live(image: Image.Image, options: dict[str, Any]) -> Iterator[Told]:
    """Encode an image; tell how it stands twice a second, the file last. Closing the iterator
    stops the encoding. options: of `pranc_codec.encode`. Raises what that raises."""
    listener = _Listener()
    future = _threads.submit(_encode, image, options, listener)
    future.add_done_callback(lambda _: listener.reports.put(None))
    try:
        yield from _follow(future, listener)
    finally:
        listener.gone.set()
        future.cancel()


@dataclass(frozen=True, kw_only=True)
class _Listener:
    """What the two threads share."""

    gone: threading.Event = field(default_factory=threading.Event)
    reports: "SimpleQueue[Report | None]" = field(default_factory=SimpleQueue)
    """None when the encoding has ended."""


def _encode(image: Image.Image, options: dict[str, Any], listener: _Listener) -> bytes:
    """In the other thread."""
    return pranc_codec.encode(image, progress=_reporter(listener), **options)


def _reporter(listener: _Listener) -> Callable[[Progress], None]:
    next_preview_s = 0.0

    def report(progress: Progress) -> None:
        nonlocal next_preview_s
        if listener.gone.is_set() or _stopping.is_set():
            raise EncodingCancelled
        preview = None
        if time.monotonic() >= next_preview_s:
            preview = progress.preview()
            next_preview_s = time.monotonic() + PREVIEW_EVERY_S
        listener.reports.put((progress, preview))

    return report


def _follow(future: "Future[bytes]", listener: _Listener) -> Iterator[Told]:
    begin, losses = time.monotonic(), []
    progress: Progress | None = None
    while True:
        done = future.done()
        preview = None
        for progress, drawn in _drain(listener.reports, 0 if done else TELL_EVERY_S):
            losses.append(progress.loss)
            preview = preview if drawn is None else drawn
        yield Told(
            seconds=time.monotonic() - begin, losses=tuple(losses), progress=progress,
            preview=preview, data=future.result() if done else None,
        )  # fmt: skip
        if done:
            return


def _drain(reports: "SimpleQueue[Report | None]", wait_s: float) -> Iterator[Report]:
    """What arrives within a time, or until the end."""
    end = time.monotonic() + wait_s
    try:
        while (report := reports.get(timeout=max(0.0, end - time.monotonic()))) is not None:
            yield report
    except Empty:
        return
