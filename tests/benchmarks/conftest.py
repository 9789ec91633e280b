"""What all tests of benchmarks share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def plain_output(monkeypatch):
    """Wide tables without colours; the scripts set the number of threads."""
    monkeypatch.setenv("COLUMNS", "200")
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
