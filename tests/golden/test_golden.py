"""Files of every released format version decode as on the day they were written.

`make.py` wrote them, once; `check.py` runs the same check in an environment of
its own, with another release of torch, without pytest.
"""

import json
from pathlib import Path

import pytest
import torch

import pranc_codec
from pranc_codec.grid import prior as priors
from tests.golden.check import check_file

GOLDEN = Path(__file__).parent
FILES = sorted(GOLDEN.glob("*.pranc"))


def test_there_are_golden_files():
    assert len(FILES) == len(json.loads((GOLDEN / "expected.json").read_text())) >= 5


def test_the_encoders_priors_are_among_them():
    named = {
        pranc_codec.inspect(path.read_bytes()).grid.prior for path in GOLDEN.glob("*grid*.pranc")
    }
    assert {priors.plain().number, priors.fitted().number} <= named


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_file(path, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert check_file(path) == []
    finally:
        torch.set_num_threads(before)


def test_the_check_can_fail(tmp_path, encoded):
    golden = GOLDEN / "v1-rgb.pranc"
    for suffix in (".pranc", ".png"):
        source = golden.with_suffix(suffix)
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / golden.name).write_bytes(encoded)
    assert check_file(tmp_path / golden.name, expected=GOLDEN / "expected.json") != []
