"""Making golden files adds the missing ones and changes no other."""

import json
import shutil
from pathlib import Path

import pytest

from tests.golden import make, make_model
from tests.golden.check import FOLDER


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def copy(tmp_path) -> Path:
    for path in FOLDER.glob("*.*"):
        shutil.copy2(path, tmp_path)
    return tmp_path


def make_all(folder: Path) -> None:
    make.main(folder)
    make_model.main(folder, folder / "expected-models.json")


def test_every_golden_file_has_a_case():
    for suffix, cases in (("pranc", make.cases()), ("prw", make_model.CASES)):
        assert {path.stem for path in FOLDER.glob(f"*.{suffix}")} == set(cases)


def test_files_that_exist_are_not_changed(copy):
    before = contents(copy)
    stamps = {path.name: path.stat().st_mtime_ns for path in copy.iterdir()}
    make_all(copy)
    assert contents(copy) == before
    assert {path.name: path.stat().st_mtime_ns for path in copy.iterdir()} == stamps


def test_what_is_missing_is_made_and_nothing_else_is_changed(copy):
    before = contents(copy)
    new = {"v1-grid-pixel.pranc", "v1-grid-pixel.png", "v1-model-hash.prw"}
    for name in new:
        (copy / name).unlink()
    for name in ("expected.json", "expected-models.json"):
        kept = {key: value for key, value in json.loads(before[name]).items() if key not in new}
        (copy / name).write_text(json.dumps(kept))
    make_all(copy)
    after = contents(copy)
    assert after.keys() == before.keys()
    for name in before.keys() - new - {"expected.json", "expected-models.json"}:
        assert after[name] == before[name]
    for name in ("expected.json", "expected-models.json"):
        assert json.loads(after[name]).keys() == json.loads(before[name]).keys()


@pytest.mark.parametrize(
    ("module", "name"), [(make, "v1-pixel.pranc"), (make_model, "v1-model-hash.prw")]
)
def test_an_old_case_is_not_written_again(copy, module, name, monkeypatch):
    """A later version of the format does not make old cases under new names, nor lost ones."""
    monkeypatch.setattr(module, "VERSION", 2)
    before = contents(copy)
    make_all(copy)
    assert contents(copy) == before
    (copy / name).unlink()
    with pytest.raises(RuntimeError, match="is missing, but this release writes format version 2"):
        make_all(copy)
