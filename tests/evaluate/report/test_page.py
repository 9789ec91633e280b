"""`pranc report`: its tables, its plot, and its page in a real browser without network."""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data as skimage_data
from typer.testing import CliRunner

from pranc_codec.commands.cli import app
from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate import evaluate_all, load_report, parse_sweep, write_report
from pranc_codec.evaluate.report import aggregate
from pranc_codec.evaluate.report.crops import compare_at_equal_bytes

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
PUBLISHED = {
    "name": "</script><b>published",
    "description": 'An old key, unsorted: "psnr" & no "ms-ssim"',
    "results": {"bpp": [2.0, 0.25, 1.0], "psnr": [40.0, 26.0, 35.0], "note": ["of", "no", "use"]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, in_this_process: None) -> Path:
    """Two photographs in `images`, results of three curves and published points in `results`."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "images").mkdir()
    for name in ("astronaut", "coffee"):
        image = Image.fromarray(getattr(skimage_data, name)()).resize((200, 170))
        image.save(folder / "images" / f"{name}.png")
    sweeps = [parse_sweep(f"{name}:quality=5/20/50/80/95") for name in ("jpeg", "jpeg-444", "webp")]
    for found in evaluate_all(folder / "images", sweeps, results=folder / "units"):
        write_report(aggregate(found), folder / "results" / f"{found[0].codec}.json")
    (folder / "results" / "published.json").write_text(json.dumps(PUBLISHED))
    return folder


@pytest.fixture(scope="module")
def written(folder: Path) -> Path:
    """What the command makes of them."""
    arguments = [
        "report", folder / "results", "--anchor", "jpeg-444", "--title", "Two <photographs>",
        "--images", folder / "images", "--crop-bpp", 1.5, "-o", folder / "out",
    ]  # fmt: skip
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    assert "against jpeg-444" in done.output
    return folder / "out"


def test_tables_and_plot_are_written(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == {
        "bd-rate.csv", "bd-rate.md", "rate-distortion.png", "report.html",
    }  # fmt: skip
    rows = list(csv.DictReader((written / "bd-rate.csv").read_text().splitlines()))
    rates = {row["curve"]: float(row["bd_rate_percent"]) for row in rows}
    assert rates.keys() == {"jpeg-420", "webp", PUBLISHED["name"]}
    assert rates["webp"] < -20
    table = (written / "bd-rate.md").read_text()
    assert re.search(r"\| webp \| -\d+\.\d % \| \d\d\.\d to \d\d\.\d dB \|", table)
    with Image.open(written / "rate-distortion.png") as image:
        assert image.size == (900, 600)


def test_crops_are_of_equal_bytes(folder: Path) -> None:
    reports = [load_report(path) for path in sorted((folder / "results").glob("*.json"))]
    found = compare_at_equal_bytes(folder / "images" / "coffee.png", reports, 1.5)
    assert [crop.name for crop in found.crops] == ["original", "jpeg-420", "jpeg-444", "webp"]
    assert all(crop.bpp == pytest.approx(1.5, rel=0.03) for crop in found.crops[1:])
    assert all((crop.psnr_db or 0) > 25 for crop in found.crops[1:])
    assert compare_at_equal_bytes(folder / "images" / "coffee.png", reports, 50.0).crops[1:] == []
    other = folder / "coffee.png"
    Image.fromarray(np.zeros((170, 200, 3), np.uint8)).save(other)
    with pytest.raises(InvalidArgument, match="other pixels"):
        compare_at_equal_bytes(other, reports, 1.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.json"], "nowhere.json cannot be read"),
        (["results", "--anchor", "bpg"], "no curve is called 'bpg': there are"),
        (["results", "--images", "images", "--crop", "lena"], "has no image lena"),
    ],
)
def test_what_is_not_there_is_named(folder: Path, arguments: list[str], message: str) -> None:
    there = {"results": str(folder / "results"), "images": str(folder / "images")}
    output = ["-o", str(folder / "wrong")]
    done = CliRunner().invoke(app, ["report", *(there.get(a, a) for a in arguments), *output])
    assert done.exit_code == 1
    assert message in str(done.exception)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium that reaches no network."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=120_000)
        yield chromium
        chromium.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_draws_its_curves_without_network(written: Path, browser: Any, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, offline=True)
    page.set_default_timeout(120_000)
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((written / "report.html").as_uri())
    lines = page.locator("#plot .scatterlayer path.js-line")
    page.wait_for_function("document.querySelectorAll('#plot path.js-line').length >= 4")
    assert page.locator("h1").inner_text() == "Two <photographs>"
    assert "</script><b>published" in page.locator("dl").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.select_option("#image", "coffee")
    page.select_option("#measure", "ms-ssim-rgb")
    page.wait_for_function("document.querySelector('#plot .ytitle').textContent.includes('MS')")
    page.wait_for_function("document.querySelectorAll('#plot .scatterlayer .trace').length == 3")
    assert lines.count() >= 3
    point = page.locator("#plot .scatterlayer .trace .point").first.bounding_box()
    page.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    page.wait_for_selector("#plot .hovertext")
    assert "quality = 5" in (page.locator("#plot .hovertext").first.text_content() or "")

    pictures = page.locator(".crops img")
    assert pictures.count() == 8
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert complaints == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in requests)
    page.close()
