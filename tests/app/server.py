"""The demo as its users start it: a process of its own."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_S = 300


@dataclass(frozen=True, kw_only=True)
class Demo:
    url: str
    temporary: Path
    log: Path

    def files(self) -> list[Path]:
        """What the server keeps at the moment."""
        return [path for path in self.temporary.rglob("*") if path.is_file()]


@contextmanager
def running_demo(
    folder: Path, command: Sequence[str] = ("-m", "app"), **environment: str
) -> Iterator[Demo]:
    """Start `python COMMAND --port ...`, wait until it answers, end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    temporary, log = folder / "temporary", folder / "demo.log"
    temporary.mkdir(parents=True)
    env = os.environ | {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"} | environment
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command, "--port", str(port)],
            cwd=environment.get("PWD", ROOT), env=env, stdout=output, stderr=output,
        )  # fmt: skip
    demo = Demo(url=f"http://127.0.0.1:{port}", temporary=temporary, log=log)
    try:
        _wait(process, demo)
        yield demo
    finally:
        process.terminate()
        process.wait(60)


def _wait(process: subprocess.Popen[bytes], demo: Demo) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(demo.url, timeout=10):
                return
        except urllib.error.URLError:
            time.sleep(0.2)
    raise AssertionError(f"the demo does not answer: {demo.log.read_text()}")
