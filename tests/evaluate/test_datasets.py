"""Data sets in zip files: downloaded from a local server, given as a file, given as a folder."""

import functools
import hashlib
import importlib.util
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pranc_codec.evaluate.datasets import Archive, prepare

DATASETS = Path(__file__).parents[2] / "datasets"
PACKED = {
    "valid/": b"",
    "valid/one.png": b"image one",
    "valid/two.png": b"image two",
    "__MACOSX/valid/._one.png": b"not an image",
    "valid/../../outside.png": b"image three",
    "valid/readme.txt": b"text",
}
UNPACKED = {"one.png": b"image one", "two.png": b"image two", "outside.png": b"image three"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a zip file that stands for a published one."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, content in PACKED.items():
            packed.writestr(name, content)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "set.zip").write_bytes(file.getvalue())
    return tmp_path / "site"


@pytest.fixture
def archive(site: Path) -> Iterator[Archive]:
    """What is published, on a server of this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    data = (site / "set.zip").read_bytes()
    handler = functools.partial(Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        yield Archive(
            name="the set",
            url=f"http://127.0.0.1:{http.server_address[1]}/set.zip",
            sha256=hashlib.sha256(data).hexdigest(),
            file_bytes=len(data),
            images=3,
        )
        http.shutdown()
        thread.join()


def pngs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def test_an_archive_is_downloaded_once_and_unpacked(
    archive: Archive, site: Path, tmp_path: Path
) -> None:
    assert prepare(archive, [], home=tmp_path) == 0
    assert pngs(tmp_path / "images") == UNPACKED
    assert not (tmp_path / "outside.png").exists()
    (site / "set.zip").unlink()
    assert prepare(archive, [], home=tmp_path) == 0
    (tmp_path / "images" / "two.png").unlink()
    assert prepare(archive, [], home=tmp_path) == 0
    assert pngs(tmp_path / "images") == UNPACKED


def test_a_file_or_a_folder_that_the_user_has_will_do(
    archive: Archive, site: Path, tmp_path: Path
) -> None:
    offline = replace(archive, url="http://127.0.0.1:9/nobody.zip")
    assert prepare(offline, [str(site / "set.zip")], home=tmp_path / "home") == 0
    mine = tmp_path / "home" / "images"
    assert pngs(mine) == UNPACKED
    assert prepare(offline, [str(mine)], home=tmp_path / "other") == 0
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("changes", "given", "message"),
    [
        ({"sha256": "0" * 64}, [], "hash of downloaded file"),
        ({"sha256": "0" * 64}, ["set.zip"], "expected 000"),
        ({"url": "http://127.0.0.1:9/set.zip"}, [], "127.0.0.1"),
        ({}, ["nowhere.zip"], "nowhere.zip"),
        ({"images": 4}, [], "holds 3 PNG files, but the set has 4"),
        ({}, ["."], "holds 0 PNG files, but the set has 3"),
    ],
)
def test_what_is_wrong_is_named(
    archive: Archive, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    changes: dict[str, str], given: list[str], message: str,
) -> None:  # fmt: skip
    paths = [str(site / name) for name in given]
    assert prepare(replace(archive, **changes), paths, home=tmp_path / "home") == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "images"), [("clic-professional-valid", 41), ("div2k-valid", 100)]
)
def test_scripts_name_an_archive_and_readmes_its_licence(folder: str, images: int) -> None:
    path = DATASETS / folder / "prepare.py"
    spec = importlib.util.spec_from_file_location("prepare_archive", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.ARCHIVE.images == images
    assert len(bytes.fromhex(module.ARCHIVE.sha256)) == 32
    assert module.ARCHIVE.url.startswith("https://")
    assert "licence" in (DATASETS / folder / "readme.md").read_text()
