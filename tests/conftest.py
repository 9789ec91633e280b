"""Images and files that several tests use. Nothing here needs a data set."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as skimage_data

import pranc_codec
from pranc_codec.evaluate.harness import run
from pranc_codec.evaluate.harness.workers import NumberedUnit, Outcome, attempt
from tests.app.server import Demo, running_demo

torch.set_num_threads(min(2, torch.get_num_threads()))


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
def encoded(photo: Image.Image) -> bytes:
    """`photo` as a small file of the mlp profile."""
    return pranc_codec.encode(photo, profile="mlp", bpp=1.0, effort=0)


@pytest.fixture(scope="session")
def grid_file(photo: Image.Image) -> bytes:
    """`photo` as a small file of the grid profile."""
    return pranc_codec.encode(photo, bpp=1.0, effort=0)


@pytest.fixture(scope="session")
def rgba_file() -> bytes:
    """An mlp file with every other section: alpha, ICC profile, EXIF and XMP."""
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)
    metadata = pranc_codec.Metadata(icc_profile=b"profile", exif=b"Exif\0\0", xmp=b"<x/>")
    return pranc_codec.encode(image, profile="mlp", quality=50, effort=0, metadata=metadata)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo, serving."""
    with running_demo(tmp_path_factory.mktemp("demo")) as started:
        yield started
