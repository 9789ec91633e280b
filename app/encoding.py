"""Report the state of an encoding, which runs in a worker, to the page."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .pool import TICK_S, Pool


@dataclass(frozen=True, kw_only=True)
class FitProgress:
    """The numbers of `pranc_codec.Progress`, without its preview."""

    iteration: int
    iterations: int
    loss: float
    bpp_estimate: float
    psnr_db_estimate: float


@dataclass(frozen=True, kw_only=True)
class Told:
    """The state of an encoding.

    seconds: time since its start. expected_s: its expected duration; None until the picture has
    been read. losses: loss at each report so far. preview: a new preview as PNG, or None. result: a
    new result of the task, or None.
    """

    seconds: float
    expected_s: float | None = None
    losses: tuple[float, ...] = ()
    progress: FitProgress | None = None
    preview: bytes | None = None
    result: Any = None


@dataclass
class Follower:
    """Collects the messages of an encoding, so that they are passed on at a lower rate."""

    begin: float = field(default_factory=time.monotonic)
    next_s: float = 0.0
    expected_s: float | None = None
    losses: list[float] = field(default_factory=list)
    progress: FitProgress | None = None
    preview: bytes | None = None

    def hear(self, said: dict[str, Any]) -> None:
        """Record a message of the fit."""
        self.expected_s = said.get("expected_s", self.expected_s)
        self.preview = said.get("preview") or self.preview
        if "progress" in said:
            self.progress = FitProgress(**said["progress"])
            self.losses.append(self.progress.loss)

    def tell(self, result: Any = None) -> Told:
        """Return the state of the encoding, and forget the preview that it contains."""
        preview, self.preview = self.preview, None
        self.next_s = time.monotonic() + TICK_S
        return Told(
            seconds=time.monotonic() - self.begin, expected_s=self.expected_s,
            losses=tuple(self.losses), progress=self.progress, preview=preview, result=result,
        )  # fmt: skip


def encode_live(pool: Pool, task: str, *arguments: Any, seconds: float) -> Iterator[Told]:
    """Run the task "encode" or "fit"; yield its state twice a second, and each result at once.

    Closing the iterator stops the encoding, and it is stopped after `seconds` in any case. Raises
    InvalidArgument with a message for the visitor, and EncodingCancelled if the pool is closed.
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
