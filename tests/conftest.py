"""Images and files that several tests use. Nothing here needs a data set."""

from collections.abc import Callable, Generator, Iterator
from threading import Timer
from typing import Final

import jaxtyping
import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image
from skimage import data as skimage_data

import pranc_codec
from pranc_codec.evaluate.harness import run
from pranc_codec.evaluate.harness.workers import NumberedUnit, Outcome, attempt
from tests.app.server import Demo, running_demo

torch.set_num_threads(min(2, torch.get_num_threads()))
CHECKED_S: Final = 1.0
"""Shapes and types are checked in the first second of each test. By then a fit has called each of
its functions many times, and checking thousands of calls more would take most of the time."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    timer = Timer(CHECKED_S, jaxtyping.config.update, ("jaxtyping_disable", True))
    timer.start()
    try:
        return (yield)
    finally:
        timer.cancel()
        jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def made_once(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Callable[[str, Callable[[], bytes]], bytes]:
    """A function that makes a file, or reads it if another process of the tests has made it."""

    def made(name: str, make: Callable[[], bytes]) -> bytes:
        if worker_id == "master":
            return make()
        path = tmp_path_factory.getbasetemp().parent / name
        with FileLock(f"{path}.lock"):
            if not path.exists():
                path.with_suffix(".part").write_bytes(make())
                path.with_suffix(".part").rename(path)
        return path.read_bytes()

    return made


@pytest.fixture(scope="module")
def in_this_process() -> Iterator[None]:
    """Measure here instead of in workers, whose start takes seconds."""

    def outcomes_of(units: list[NumberedUnit], jobs: int) -> Iterator[tuple[int, Outcome]]:
        return ((number, attempt(unit)) for number, unit in units)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "outcomes_of", outcomes_of)
        yield


@pytest.fixture(scope="session")
def photo() -> Image.Image:
    """A photograph of 96x64 pixels."""
    return Image.fromarray(skimage_data.astronaut()).crop((96, 0, 384, 192)).resize((96, 64))


@pytest.fixture(scope="session")
def encoded(photo: Image.Image, made_once) -> bytes:
    """`photo` as a small file of the mlp profile."""
    return made_once("encoded", lambda: pranc_codec.encode(photo, profile="mlp", bpp=1.0, effort=0))


@pytest.fixture(scope="session")
def grid_file(photo: Image.Image, made_once) -> bytes:
    """`photo` as a small file of the grid profile."""
    return made_once("grid_file", lambda: pranc_codec.encode(photo, bpp=1.0, effort=0))


@pytest.fixture(scope="session")
def rgba_file(made_once) -> bytes:
    """An mlp file with every other section: alpha, ICC profile, EXIF and XMP."""
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)
    metadata = pranc_codec.Metadata(icc_profile=b"profile", exif=b"Exif\0\0", xmp=b"<x/>")
    options = dict(profile="mlp", quality=50, effort=0, metadata=metadata)
    return made_once("rgba_file", lambda: pranc_codec.encode(image, **options))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo, serving."""
    with running_demo(tmp_path_factory.mktemp("demo")) as started:
        yield started
