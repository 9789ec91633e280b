"""The Kodak folder: its script on made-up images, its checksums and published points."""

import functools
import hashlib
import importlib.util
import json
import re
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from pranc_codec.evaluate import bd_rate, load_curve, load_report

KODAK = Path(__file__).parents[2] / "datasets" / "kodak"
CLASSICAL = ("jpeg-420", "jpeg-444", "jpeg2000", "webp", "avif-420", "avif-444", "jpegxl")
BASELINES = sorted((KODAK / "baselines").glob("*.json"))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with three files that stand for images."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for i in (1, 2, 3):
        (folder / f"kodim0{i}.png").write_bytes(b"image %d" % i)
    return folder


@pytest.fixture
def prepare(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, with the checksums of the made-up images."""
    spec = importlib.util.spec_from_file_location("prepare_kodak", KODAK / "prepare.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines = [f"{sha256(path)}  {path.name}\n" for path in sorted(images.iterdir())]
    (tmp_path / "checksums.txt").write_text("".join(lines))
    monkeypatch.setattr(module, "CHECKSUMS", tmp_path / "checksums.txt")
    return module


@pytest.fixture
def server(images: Path) -> Iterator[str]:
    """The address of a server of the made-up images."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(images))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}/"
        http.shutdown()
        thread.join()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_right_folder_is_copied(prepare: ModuleType, images: Path, tmp_path: Path) -> None:
    output = tmp_path / "images"
    output.mkdir()
    (output / "kodim02.png").write_bytes(b"half an im")
    assert prepare.main([str(images), "--output", str(output)]) == 0
    assert {path.name: path.read_bytes() for path in output.iterdir()} == {
        path.name: path.read_bytes() for path in images.iterdir()
    }


def test_a_folder_can_be_checked_in_place(prepare: ModuleType, images: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in images.iterdir()}
    assert prepare.main([str(images), "--output", str(images)]) == 0
    assert {path: path.stat().st_mtime_ns for path in images.iterdir()} == before


def test_missing_and_wrong_files_are_named(
    prepare: ModuleType, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = sha256(images / "kodim03.png")
    (images / "kodim01.png").unlink()
    (images / "kodim03.png").write_bytes(b"another image")
    found = sha256(images / "kodim03.png")
    assert prepare.main([str(images), "--output", str(tmp_path / "images")]) == 1
    message = capsys.readouterr().err
    assert "2 of 3 images are missing or wrong" in message
    assert f"kodim01.png: not in {images}" in message
    assert found in message
    assert expected in message
    assert "kodim02" not in message
    assert names(tmp_path / "images") == ["kodim02.png"]


def test_images_are_downloaded_and_only_once(
    prepare: ModuleType,
    images: Path,
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prepare, "BASE_URL", server)
    arguments = ["--output", str(tmp_path / "images")]
    assert prepare.main(arguments) == 0
    assert names(tmp_path / "images") == names(images)
    (images / "kodim01.png").unlink()
    assert prepare.main(arguments) == 0


def test_downloads_that_fail_are_named(
    prepare: ModuleType,
    images: Path,
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(prepare, "BASE_URL", server)
    (images / "kodim01.png").unlink()
    (images / "kodim03.png").write_bytes(b"an error page")
    assert prepare.main(["--output", str(tmp_path / "images")]) == 1
    message = capsys.readouterr().err
    assert "2 of 3 images are missing or wrong" in message
    assert "kodim01.png: 404" in message
    assert "kodim03.png: " in message
    assert sha256(images / "kodim03.png") in message
    assert names(tmp_path / "images") == ["kodim02.png"]


def test_there_are_24_checksums() -> None:
    lines = (KODAK / "checksums.txt").read_text().splitlines()
    assert [line[66:] for line in lines] == [f"kodim{i:02}.png" for i in range(1, 25)]
    assert len({bytes.fromhex(line[:64]) for line in lines}) == 24


@pytest.mark.parametrize("path", BASELINES, ids=lambda path: path.stem)
def test_published_points_form_a_curve_and_name_their_origin(path: Path) -> None:
    document = json.loads(path.read_text())
    assert "Source: " in document["description"] or "Reference: " in document["description"]
    curve = load_curve(path)
    assert bd_rate(curve, curve).percent == pytest.approx(0)


@pytest.mark.parametrize("name", CLASSICAL)
def test_results_cover_the_suite_and_name_their_libraries(name: str) -> None:
    report = load_report(KODAK / "results" / f"{name}.json")
    assert sorted(report.per_image) == [f"kodim{i:02}" for i in range(1, 25)]
    assert len(report.points) >= 8
    assert re.search(r"(Pillow|imagecodecs) [\d.]+, [\w-]+ [\d.]+", report.version or "")
    curve = report.curve()
    assert curve.psnr_db[0] < 28
    assert curve.psnr_db[-1] > 39


@pytest.mark.parametrize(("name", "percent"), [("webp", -36.9), ("avif-444", -51.3)])
def test_known_bd_rates_are_met_within_a_point(name: str, percent: float) -> None:
    """Against JPEG 4:4:4 over 28 to 39 dB, as measured once with other code."""
    curves = [load_curve(KODAK / "results" / f"{each}.json") for each in (name, "jpeg-444")]
    found = bd_rate(*curves, psnr_range_db=(28, 39))
    assert found.percent == pytest.approx(percent, abs=1)
    assert (found.low_db, found.high_db) == (28, 39)
