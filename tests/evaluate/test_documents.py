"""The results tables of the documents agree with the committed JSON files."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
KODAK = ROOT / "datasets" / "kodak" / "readme.md"
SCRIPT = ROOT / "benchmarks" / "kodak_tables.py"


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPT.parent))
        return importlib.import_module(SCRIPT.stem)


def test_documents_agree_with_the_results(tables: ModuleType) -> None:
    documents = tables.documents()
    assert {ROOT / "README.md", KODAK} <= set(documents)
    for path in documents:
        text = path.read_text(encoding="utf-8")
        assert tables.filled(text) == text, f"{path}: run python {SCRIPT.relative_to(ROOT)}"


def test_every_table_of_the_kodak_readme_is_made(tables: ModuleType) -> None:
    rest = tables.BLOCK.sub("", KODAK.read_text(encoding="utf-8"))
    assert not re.search(r"^\|", rest, re.MULTILINE)
    assert not re.search(r"\d %| dB from|BD-rate of", rest)


def test_tables_hold_the_headline_figures(tables: ModuleType) -> None:
    """As other code computed them from the same files."""
    grid = tables.grid_results()
    assert "| 0 | 24 | 8 | -58.9 % | -15.6 % | -5.7 % | +12.4 % | +17.3 % | +24.3 % |" in grid
    assert "| default | 24 | 6 | -62.3 % | -22.6 % | -13.5 % | +3.1 % | +7.6 % | +14.0 % |" in grid
    mlp = tables.mlp_results()
    assert "| 23.89 | 25.01 | 26.19 | 27.45 |" in mlp
    assert re.search(r"COIN \|.*-37.5 % \| 23.9 to 27.4 dB", mlp)
    assert re.search(r"COIN\+\+ \|.*-26.5 % \| 23.9 to 27.4 dB", mlp)
    assert re.search(r"JPEG 4:2:0 \| - \| 21.58 \| 25.31 \| 28.51 \| -33.2 %", mlp)


def test_edited_figures_are_found_and_written_again(
    tables: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = KODAK.read_text(encoding="utf-8")
    assert "-58.9 %" in text
    document = tmp_path / "readme.md"
    document.write_text(text.replace("-58.9 %", "-59.9 %"), encoding="utf-8")
    with pytest.raises(SystemExit, match="1"):
        tables.main([document], check=True)
    assert f"{document}: tables differ from the results" in capsys.readouterr().out
    assert "-59.9 %" in document.read_text(encoding="utf-8")
    tables.main([document])
    assert document.read_text(encoding="utf-8") == text
    tables.main([document], check=True)


def test_tables_without_a_name_or_an_end_are_refused(tables: ModuleType) -> None:
    with pytest.raises(ValueError, match="no table is called 'grid-result': known are grid-res"):
        tables.filled("<!-- table: grid-result -->\n<!-- end -->")
    open_ended = "<!-- table: jpeg-at-50 -->\ntext\n<!-- table: jpeg-at-50 -->\n<!-- end -->"
    with pytest.raises(ValueError, match="a table has no <!-- end -->"):
        tables.filled(open_ended)
