"""What the documents say is true: their examples run, their names exist, the site builds."""

import inspect
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from PIL import Image, ImageShow
from skimage import data as skimage_data
from sybil import Document, Example
from sybil.example import SybilFailure
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from typer.testing import CliRunner

import pranc_codec
import pranc_codec.evaluate
from pranc_codec.commands.cli import app

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")

NOT_RUN = {
    "pranc demo --browser": "serves until it is interrupted; test_demo_* start it",
    "pranc condense mnist mnist.npz -o runs/lenet -k 1000 -k 3000": "a training of minutes",
    "pranc evaluate datasets/kodak/images --jobs 2 --results runs/kodak --codec jpeg --codec webp"
    " --codec avif --codec jpegxl --codec pranc-grid:effort=0": "needs Kodak, takes minutes",
    "pranc report runs/kodak datasets/kodak/baselines/vtm.json --anchor jpeg-420 --low 28 --high 39"
    " --images datasets/kodak/images": "needs the results of the line before it",
}
"""Lines of the command that no test can run, with the reason."""
OTHER_COMMANDS = {
    "pip": "installs from a package index",
    "make": "installs, and runs all of this",
    "python": "scripts of the source tree, which take minutes or have tests of their own",
    ".venv/bin/python": "runs these tests",
    "export": "sets a variable of the reader's shell",
}
"""Other commands in blocks of shell lines, and why they do not run here."""


def shell_lines(text: str) -> Iterator[str]:
    """The commands of a block of shell lines, without comments."""
    for line in text.splitlines():
        command = re.sub(r"(^|\s)#.*", "", line).strip()
        if command:
            yield command


def run_shell(example: Example) -> str | None:
    """Sybil's evaluator of such a block: a text is a failure."""
    for line in shell_lines(example.parsed):
        words = shlex.split(re.sub(r"^(\w+=\S+ )+", "", line))
        if words[0] != "pranc":
            if words[0] not in OTHER_COMMANDS:
                return f"{words[0]} is not among OTHER_COMMANDS: {line}"
        elif line not in NOT_RUN:
            done = CliRunner().invoke(app, words[1:], prog_name="pranc")
            if done.exit_code:
                return f"{line}: exit code {done.exit_code}\n{done.output}\n{done.exception!r}"
    return None


PARSERS = (PythonCodeBlockParser(), CodeBlockParser("sh", evaluator=run_shell))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the examples read; the current one."""
    photo = Image.fromarray(skimage_data.astronaut()).crop((96, 0, 384, 216)).resize((48, 36))
    (tmp_path / "photos").mkdir()
    for name in ("photo.png", "photos/a.png"):
        photo.save(tmp_path / name)
    photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "photos" / "b.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ImageShow, "show", lambda image, title: image.load())  # opens no window
    return tmp_path


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def with_examples() -> list[Path]:
    return [page for page in PAGES if re.search(r"^```(python|sh)$", page.read_text(), re.M)]


@pytest.mark.parametrize("page", with_examples(), ids=name_of)
@pytest.mark.usefixtures("in_this_process", "folder")
def test_examples_run(page):
    """In their order, and with the names that the examples before them have defined."""
    for example in Document.parse(str(page), *PARSERS).examples():
        example.evaluate()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\nopen('nothing.png')\n```\n", "No such file"),
        ("```sh\npranc encode nothing.png\n```\n", "exit code 1"),
        ("```sh\nrm -r photos\n```\n", "rm is not among"),
    ],
)
def test_a_wrong_example_fails(text, message, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(text)
    examples = list(Document.parse(str(page), *PARSERS).examples())
    assert len(examples) == 1
    with pytest.raises((OSError, SybilFailure), match=message):
        examples[0].evaluate()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_stand_where_they_are_run(page):
    """A line of the command outside of a block of shell lines would not be run."""
    text = re.sub(r"^```sh$.*?^```$", "", page.read_text(), flags=re.M | re.S)
    assert not re.findall(r"^ *\$? *pranc .*", text, re.M)


def test_what_is_not_run_is_in_the_documents():
    blocks = "\n".join(block for page in PAGES for block in FENCE.findall(page.read_text()))
    assert set(NOT_RUN) <= set(shell_lines(blocks))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files(page):
    text = FENCE.sub("", page.read_text())
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_named_files_exist(page):
    """Files of the source by their path, or by their path in the package."""
    named = set(re.findall(r"`(?:python )?([\w./-]+/[\w.-]+\.py)", page.read_text()))
    missing = [n for n in named if not ((ROOT / n).exists() or (ROOT / "pranc_codec" / n).exists())]
    assert not missing


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_reference_has_every_public_name():
    text = (ROOT / "docs" / "reference.md").read_text()
    listed = set(re.findall(r"auto\w+:: (pranc_codec[\w.]*)", text))
    public = {
        f"{module.__name__}.{name}"
        for module in (pranc_codec, pranc_codec.evaluate)
        for name in module.__all__
        if not inspect.ismodule(getattr(module, name))
    }
    assert listed == public | {"pranc_codec.pillow_plugin"}


def test_a_package_index_can_show_the_description():
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "metadata"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    text = json.loads(done.stdout)["readme"]["text"]
    assert "## Quick start" in text
    assert not LINK.findall(text)


def test_the_citation_is_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project["version"]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site as `make docs` builds it: a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    options = ("--builder", "html", "--fail-on-warning", "--keep-going", "--quiet")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "docs", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_shows_the_formats(site):
    page = (site / "format.html").read_text()
    assert "89 50 52 4E 0D 0A 1A 0A" in page
    assert "89 50 52 57 0D 0A 1A 0A" in page


def test_the_site_loads_nothing_from_other_hosts(site):
    loading = re.compile(
        r"""(?:\bsrc|\bsrcset|<link[^>]*href|url\(|@import)[=\s]*["']?(?:https?:)?//"""
    )
    assert loading.search('<script src="//example.org/x.js">')
    assert loading.search("@import url(https://example.org/x.css)")
    files = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(files) > 20
    assert [file.name for file in files if loading.search(file.read_text())] == []
