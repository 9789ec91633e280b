"""The caller's settings of torch neither change results nor are changed, on any thread."""

from threading import Barrier, Thread

import numpy as np
import pytest
import torch

import pranc_codec
from pranc_codec import precision
from pranc_codec.precision import bfloat16_products, float32_everywhere


@pytest.fixture
def settings():
    """Restores what a test sets."""
    kind, values = torch.get_default_dtype(), precision._precisions()
    yield
    torch.set_default_dtype(kind)
    precision._set_precisions(values)
    torch.set_default_device(None)


def callers_settings() -> tuple:
    return torch.get_default_dtype(), precision._precisions(), torch.get_default_device()


def by_the_older_switch() -> None:
    torch.set_float32_matmul_precision("medium")


def by_the_newer_switches() -> None:
    torch.backends.fp32_precision = "tf32"
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"


@pytest.mark.parametrize("set_precision", [by_the_older_switch, by_the_newer_switches])
def test_low_precision_does_not_matter(settings, encoded, grid_file, set_precision):
    if set_precision is by_the_newer_switches and not precision.HAS_PARTS:
        pytest.skip("this release of torch has the older switch only")
    expected = [pranc_codec.decode_array(data) for data in (encoded, grid_file)]
    set_precision()
    before = callers_settings()
    for data, array in zip((encoded, grid_file), expected, strict=True):
        np.testing.assert_array_equal(pranc_codec.decode_array(data), array)
    assert callers_settings() == before


def test_the_default_device_does_not_matter(settings, photo, encoded, grid_file):
    expected = pranc_codec.decode_array(grid_file)
    torch.set_default_device("meta")  # tensors there have no values
    np.testing.assert_array_equal(pranc_codec.decode_array(grid_file, device="cpu"), expected)
    assert pranc_codec.encode(photo, bpp=1.0, effort=0, device="cpu") == grid_file
    assert pranc_codec.decode(encoded, device="cpu").size == photo.size


def test_threads_that_overlap_leave_the_process_as_it_was(settings):
    """The first to leave is not the last to enter."""
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("high")
    before, seen = callers_settings(), []
    entered, left = Barrier(2), Barrier(2)

    def leaves_first() -> None:
        with float32_everywhere():
            entered.wait()
        left.wait()

    def leaves_last() -> None:
        with float32_everywhere():
            entered.wait()
            left.wait()
            seen.append((torch.get_default_dtype(), precision._precisions()))

    threads = [Thread(target=work) for work in (leaves_first, leaves_last)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0][0] == torch.float32
    assert set(seen[0][1]) <= {"ieee", "highest", False}
    assert callers_settings() == before


def test_bfloat16_is_used_where_the_processor_has_it(monkeypatch):
    for has, expected in ((True, torch.bfloat16), (False, torch.float32)):
        precision._computes_in_bfloat16.cache_clear()
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda has=has: has)
        with bfloat16_products(torch.device("cpu")):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected
    precision._computes_in_bfloat16.cache_clear()
