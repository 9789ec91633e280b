"""One encoding in a worker, followed by the page."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .pool import TICK_S, Pool


@dataclass(frozen=True, kw_only=True)
class FitState:
    """How far a fit is."""

    iteration: int
    iterations: int
    loss: float
    bpp_estimate: float
    psnr_db_estimate: float


@dataclass(frozen=True, kw_only=True)
class Told:
    """How an encoding stands. preview: a new one as PNG, or None. expected_s: None until the
    picture has been read. result: one of the task's results, if there is a new one."""

    seconds: float
    expected_s: float | None = None
    losses: tuple[float, ...] = ()
    progress: FitState | None = None
    preview: bytes | None = None
    result: Any = None


@dataclass
class Follower:
    """Collects what an encoding says, and tells it no more often than a page can show."""

    begin: float = field(default_factory=time.monotonic)
    next_s: float = 0.0
    expected_s: float | None = None
    losses: list[float] = field(default_factory=list)
    progress: FitState | None = None
    preview: bytes | None = None

    def hear(self, said: dict[str, Any]) -> None:
        """Take a message of the fit."""
        self.expected_s = said.get("expected_s", self.expected_s)
        self.preview = said.get("preview") or self.preview
        if "progress" in said:
            self.progress = FitState(**said["progress"])
            self.losses.append(self.progress.loss)

    def tell(self, result: Any = None) -> Told:
        """How the encoding stands."""
        preview, self.preview = self.preview, None
        self.next_s = time.monotonic() + TICK_S
        return Told(
            seconds=time.monotonic() - self.begin, expected_s=self.expected_s,
            losses=tuple(self.losses), progress=self.progress, preview=preview, result=result,
        )  # fmt: skip


def encode_live(pool: Pool, task: str, *arguments: Any, seconds: float) -> Iterator[Told]:
    """Run the task "encode" or "fit"; tell how it stands twice a second, and each result at once.

    Closing the iterator stops the encoding. It is ended after `seconds`. Raises InvalidArgument
    with the words of what went wrong, EncodingCancelled when the pool is closed.
    """
    follower = Follower()
    for said in pool.run(task, *arguments, seconds=seconds):
        if isinstance(said, dict) and said.keys() & {"progress", "expected_s"}:
            follower.hear(said)
        elif said:
            yield follower.tell(said)
            continue
        if time.monotonic() >= follower.next_s:
            yield follower.tell()
