"""The demo in a browser, as a visitor uses it."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as skimage_data

import pranc_codec

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
WAIT_MS = 120_000
SCREENS = pytest.mark.parametrize("page", [1280, 390], ids=["desktop", "phone"], indirect=True)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: `make browser`")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(request, browser, demo):
    """The page on a screen. Nothing may be asked of other hosts, no script may fail, and nothing
    may need what the content security policy forbids."""
    width = getattr(request, "param", 1280)
    context = browser.new_context(viewport={"width": width, "height": 900}, has_touch=width < 500)
    context.set_default_timeout(WAIT_MS)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.extend(violations(message.text)))
    opened.on("request", lambda r: complaints.extend(foreign(r.url, demo.url)))
    opened.goto(demo.url)
    expect(opened.locator("#encode")).to_be_visible(timeout=WAIT_MS)
    yield opened
    overflow = opened.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    context.close()
    assert complaints == []
    assert overflow <= 0


def violations(text: str) -> list[str]:
    return [text] if "Content Security Policy" in text else []


def foreign(url: str, own: str) -> list[str]:
    return [] if url.startswith((own, "data:", "blob:")) else [url]


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("picture") / "cup.png"
    Image.fromarray(skimage_data.coffee()).resize((128, 96)).save(path)
    return path


def upload(page, place: str, path: Path) -> None:
    page.locator(f"#{place} input[type=file]").set_input_files(path)


def set_effort(page, effort: int) -> None:
    number = page.locator("#effort input[type=number]")
    number.fill(str(effort))
    number.press("Tab")


def download(page, folder: Path) -> Path:
    with page.expect_download(timeout=WAIT_MS) as waiting:
        page.locator("#download").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


@SCREENS
def test_encode_download_decode(page, picture, tmp_path):
    upload(page, "picture", picture)
    expect(page.locator("#estimate")).to_contain_text("128 x 96 pixels")
    set_effort(page, 3)
    page.locator("#encode").click()
    for name in ("pranc", "JPEG", "WebP", "AVIF"):
        expect(page.locator("#ranking")).to_contain_text(name, timeout=WAIT_MS)
    expect(page.locator("#encode")).to_be_enabled(timeout=WAIT_MS)
    sources = [i.get_attribute("src") for i in page.locator("#slider img").all()]
    assert sources
    assert all(source.endswith(".png") for source in sources)
    file = download(page, tmp_path)
    assert file.name == "cup.pranc"
    decoded = pranc_codec.decode_array(file.read_bytes())
    assert np.abs(decoded - np.asarray(Image.open(picture)).astype(int)).mean() < 8
    page.get_by_role("tab", name="Decode").click()
    upload(page, "decode-file", file)
    expect(page.locator("#header")).to_contain_text("128 x 96, RGB", timeout=WAIT_MS)
    page.locator("#render").click()
    expect(page.locator("#window-words")).to_contain_text("of 512 x 384 pixels", timeout=WAIT_MS)


def test_look_inside_what_was_encoded(page, picture):
    upload(page, "picture", picture)
    expect(page.locator("#estimate")).to_contain_text("128 x 96 pixels")
    set_effort(page, 0)
    page.locator("#encode").click()
    expect(page.locator("#ranking")).to_contain_text("AVIF", timeout=WAIT_MS)
    expect(page.locator("#encode")).to_be_enabled(timeout=WAIT_MS)
    page.get_by_role("button", name="Look inside").click()
    expect(page.locator("#inside-words")).to_contain_text("latents", timeout=WAIT_MS)
    expect(page.locator("#heat img").first).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#latents img").first).to_be_visible(timeout=WAIT_MS)


def test_cancel_and_try_again(page, picture):
    upload(page, "picture", picture)
    set_effort(page, 7)
    expect(page.locator("#cancel")).to_be_disabled()
    page.locator("#encode").click()
    expect(page.locator("#status")).to_contain_text(re.compile(r"iteration \d+"), timeout=WAIT_MS)
    page.locator("#cancel").click()
    expect(page.locator("#status")).to_contain_text("Cancelled", timeout=WAIT_MS)
    set_effort(page, 0)
    page.locator("#encode").click()
    expect(page.locator("#download")).to_be_visible(timeout=WAIT_MS)


def test_wrong_files_end_in_a_toast(page, tmp_path):
    wrong = tmp_path / "wrong.png"
    wrong.write_text("<script>alert(1)</script>")
    upload(page, "picture", wrong)
    toast = page.get_by_test_id("toast-body")
    expect(toast.first).to_contain_text("not a picture that can be read", timeout=WAIT_MS)
    page.get_by_role("tab", name="Decode").click()
    upload(page, "decode-file", wrong)
    expect(toast.last).to_contain_text("not a .pranc file", timeout=WAIT_MS)


@SCREENS
def test_kodak_is_drawn(page):
    page.get_by_role("tab", name="Kodak").click()
    expect(page.locator("#kodak-plot .legendtext").first).to_be_visible(timeout=WAIT_MS)
    assert page.locator("#kodak-plot .scatterlayer .trace").count() >= 8


def test_the_second_of_two_waits_visibly(browser, demo, picture):
    pages = [browser.new_page() for _ in range(2)]
    for page in pages:
        page.goto(demo.url)
        upload(page, "picture", picture)
        expect(page.locator("#estimate")).to_contain_text("128 x 96", timeout=WAIT_MS)
        set_effort(page, 7)
    pages[0].locator("#encode").click()
    expect(pages[0].locator("#status")).to_contain_text("iteration", timeout=WAIT_MS)
    pages[1].locator("#encode").click()
    expect(pages[1].locator("#status")).to_contain_text("queue: 1/1", timeout=WAIT_MS)
    pages[0].close()  # nobody listens any more: the fit stops, and the next one begins
    expect(pages[1].locator("#status")).to_contain_text("iteration", timeout=WAIT_MS)
    pages[1].locator("#cancel").click()
    pages[1].close()
