"""How much memory a piece of work takes."""

from collections.abc import Callable

import pytest

from pranc_codec.evaluate.harness import memory


def peak_growth_bytes(work: Callable[[], object]) -> int:
    """By how much the process's resident set grows at most while `work` runs.

    What ran before in this process does not count: the kernel's high-water mark is set back first.
    Skips the test on systems that cannot do that.
    """
    if not memory.reset_peak():
        pytest.skip("this system cannot set back a process's peak of memory")
    before = memory.peak_bytes()
    work()
    after = memory.peak_bytes()
    assert before is not None
    assert after is not None
    return after - before
