"""Worker processes: deadlines, memory, what becomes of them afterwards."""

import contextlib
import os
import time

import pytest
from PIL import Image

from pranc_codec import InvalidArgument

pytest.importorskip("plotly")
from app.pool import Pool
from pranc_codec.commands.demo import work


@pytest.fixture(scope="module")
def pool():
    with contextlib.closing(Pool(work, most=1, memory_bytes=2**30)) as started:
        started.warm()
        yield started


def result(pool, task, *arguments, seconds=120.0):
    return list(pool.run(task, *arguments, seconds=seconds))[-1]


def worker_of(pool) -> int:
    return pool._all[0].process.pid


def test_a_worker_is_used_again(pool, grid_file, tmp_path):
    path = tmp_path / "photo.pranc"
    path.write_bytes(grid_file)
    first = worker_of(pool)
    for _ in range(2):
        assert result(pool, "decode", path)["size"] == (96, 64)
    assert worker_of(pool) == first


def test_what_takes_too_long_is_ended(pool, photo):
    """And not waited for: the next one is served by another worker."""
    first = worker_of(pool)
    start = time.monotonic()
    with pytest.raises(InvalidArgument, match="longer than the 1 seconds"):
        result(pool, "fit", photo, {"effort": 7}, seconds=1)
    assert time.monotonic() - start < 10
    assert result(pool, "ready") is True
    assert worker_of(pool) != first


def test_work_that_does_not_stop_is_ended(pool, tmp_path):
    """Such as opening a pipe that nobody writes to; closing it frees the place all the same."""
    path = tmp_path / "pipe.pranc"
    os.mkfifo(path)
    first = worker_of(pool)
    running = pool.run("decode", path, seconds=120)
    assert next(running) is None
    running.close()
    assert result(pool, "ready") is True
    assert worker_of(pool) != first


def test_what_needs_too_much_memory_is_refused(pool):
    image = Image.new("RGB", (6000, 6000))
    with pytest.raises(InvalidArgument, match="more than the 1 GB of memory"):
        result(pool, "fit", image, {"effort": 1, "profile": "grid"})
    assert result(pool, "ready") is True


def test_errors_are_told_in_the_packages_words(pool, tmp_path):
    path = tmp_path / "text.pranc"
    path.write_text("no file of this kind")
    with pytest.raises(InvalidArgument, match=r"not a \.pranc file"):
        result(pool, "decode", path)
    with pytest.raises(RuntimeError, match="FileNotFoundError"):
        result(pool, "decode", tmp_path / "missing.pranc")
