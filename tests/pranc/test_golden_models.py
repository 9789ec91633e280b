"""Condensed models of every released format version are rebuilt as on the day they were written.

`make_model.py` in `golden/` wrote them, once; `check_model.py` there runs the same check in an
environment of its own, with another release of torch, without pytest.
"""

import json
import shutil

import pytest

from tests.golden.check_model import EXPECTED, FOLDER, build, check_file, rebuild

FILES = sorted(FOLDER.glob("*.prw"))


def test_there_are_golden_models():
    assert {path.name for path in FILES} == set(json.loads(EXPECTED.read_text()))
    assert len(FILES) >= 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_model(path):
    assert check_file(path) == []


def test_the_check_can_fail(tmp_path):
    shutil.copy(FOLDER / "v1-model-hash.prw", tmp_path)
    network = rebuild(tmp_path / "v1-model-hash.prw")
    network.set_coefficients(-network.coefficients())
    network.save(tmp_path / "v1-model-hash.prw", q_step=0.1)
    assert len(check_file(tmp_path / "v1-model-hash.prw")) == 3
    assert build().state_dict().keys() == network.weights().keys()
