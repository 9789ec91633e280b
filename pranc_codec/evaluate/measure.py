"""Measuring units of work, each in a fresh process, so that memory and caches are its own.

No pool: a worker that serves several units would mix their memory, and a worker that is killed
would take the pool down with it.
"""

import multiprocessing
import os
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from PIL import Image

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.codecs import Settings
from pranc_codec.evaluate.store import Result, Unit
from pranc_codec.metrics import ms_ssim, psnr_db, ssim

Outcome = tuple[Result, bytes] | str  # a result and the encoded file, or what went wrong


def load_rgb(path: Path) -> Image.Image:
    """The file's pixels as 8-bit RGB, without metadata, which some codecs would store."""
    try:
        with Image.open(path) as image:
            return Image.fromarray(np.asarray(image.convert("RGB")))
    except OSError as error:
        raise InvalidArgument(f"cannot read {path} as an image: {error}") from error


def outcomes_of(units: Sequence[tuple[int, Unit]], jobs: int) -> Generator[tuple[int, Outcome]]:
    """Run numbered units in fresh processes, `jobs` at a time; yields them as they end.

    Closing the generator ends the processes that still run.
    """
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting = deque(units)
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                index, unit = waiting.popleft()
                connection, process = _start(unit, threads)
                running[connection] = index, process
            ready = wait(list(running))
            for connection in [each for each in running if each in ready]:
                index, process = running.pop(connection)
                yield index, _receive(connection, process)
    finally:
        for connection, (_, process) in running.items():
            process.terminate()
            process.join()
            connection.close()


def _start(unit: Unit, threads: int) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, unit, threads))
    with _environment("OMP_NUM_THREADS", str(threads)):
        process.start()
    sender.close()  # now the end of the process is the end of the connection
    return receiver, process


def _receive(connection: Connection, process: BaseProcess) -> Outcome:
    """What the process sent; its exit code if it ended without a word."""
    try:
        outcome: Outcome | None = connection.recv()
    except EOFError:
        outcome = None
    connection.close()
    process.join()
    if outcome is None:
        return f"its process ended with exit code {process.exitcode} (-9: killed, out of memory?)"
    return outcome


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set an environment variable for processes that are started inside of the block."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _work(connection: Connection, unit: Unit, threads: int) -> None:
    """A unit's process: measure, send the outcome, end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C, and ends this
    try:
        outcome: Outcome = measure(unit, threads)
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    connection.send(outcome)
    connection.close()


def measure(unit: Unit, threads: int) -> tuple[Result, bytes]:
    """Encode, decode the very bytes, compare. Memory is read before the metrics take theirs."""
    codec = unit.codec
    image = load_rgb(unit.path)
    _warm_up(unit)
    start = time.perf_counter()
    data = codec.encode(image, unit.settings)
    encoded = time.perf_counter()
    decoded = codec.decode(data)
    end = time.perf_counter()
    peak_memory_bytes = _peak_memory_bytes()
    threads, device = _threads(threads), _device(unit.settings)
    pixels = np.asarray(image)
    result = Result(
        image=unit.path.stem,
        **unit.key(),
        parameter=codec.parameter,
        file_bytes=len(data),
        bpp=8 * len(data) / (unit.width * unit.height),
        psnr_db=psnr_db(pixels, decoded),
        ssim=ssim(pixels, decoded),
        ms_ssim=ms_ssim(pixels, decoded),
        encode_s=encoded - start,
        decode_s=end - encoded,
        peak_memory_bytes=peak_memory_bytes,
        threads=threads,
        device=device,
    )
    return result, data


def _warm_up(unit: Unit) -> None:
    """Code a tiny image once: imports, tables and kernels are loaded before the clock starts."""
    codec = unit.codec
    tiny = Image.radial_gradient("L").resize((32, 32)).convert("RGB")
    others = {name: unit.settings[name] for name in unit.settings if name != codec.parameter}
    codec.decode(codec.encode(tiny, {**others, **codec.warm_up}))


def _threads(budget: int) -> int:
    """PyTorch's thread count if the codec has loaded it, else the budget it was started with."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch else budget


def _device(settings: Settings) -> str:
    """The device asked for, else whether this process has used CUDA."""
    torch = sys.modules.get("torch")
    used = "cuda" if torch and torch.cuda.is_initialized() else "cpu"
    return str(settings.get("device") or used)


def _peak_memory_bytes() -> int | None:
    """Largest resident set of this process; None where the system does not tell.

    On Linux not `ru_maxrss`: it survives exec, so a process starts at its parent's peak.
    """
    status = Path("/proc/self/status")
    if status.exists() and (match := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return 1024 * int(match[1])
    if sys.platform == "win32":
        return None
    import resource

    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return unit_bytes * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
