"""The parts of the server that the tabs use: its workers and its files."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from pranc_codec import InvalidArgument

from . import visitors
from .allowance import Allowance
from .pool import Pool
from .vault import Vault

DECODE: dict[str, Any] = dict(concurrency_limit=1, concurrency_id="decode")
"""Event options of functions that decode or analyse a file. One of them runs at a time."""
LOOK: dict[str, Any] = dict(concurrency_limit=1, concurrency_id="look", show_progress="hidden",
                            api_visibility="private")  # fmt: skip
"""Event options of functions that read a picture's header."""
LIGHT: dict[str, Any] = dict(concurrency_limit=8, concurrency_id="light", show_progress="hidden",
                             api_visibility="private")  # fmt: skip
"""Event options of functions that take almost no time."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """The limits, the workers and the files, which each tab gets when it is laid out."""

    allowance: Allowance
    pool: Pool
    vault: Vault

    def result(
        self, task: str, path: Path | None, *arguments: Any
    ) -> Generator[dict[str, Any], None, Any]:
        """Run a task on an uploaded file in a worker, and return its result.

        Yields updates that change nothing while the task runs, so that Gradio can close the calling
        function if its visitor has left.
        """
        if path is None:
            raise InvalidArgument("choose a .pranc file first: upload one, or encode a picture")
        seconds = self.allowance.decode_seconds
        for said in self.pool.run(task, path, *arguments, seconds=seconds):
            if said is not None:
                return said
            yield gr.skip()
        raise RuntimeError(f"{task} has no result")

    def file(self, data: bytes, name: str) -> str:
        """Write a file for the visitor of the current call; return its path for Gradio."""
        return self.vault.write(data, name, visitors.current.get())
