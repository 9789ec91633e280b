"""The demo over its API, as a program or a hostile visitor would use it."""

import io
import json
import re
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as skimage_data

import pranc_codec

pytest.importorskip("gradio_client")
import gradio_client

from tests.app.raw import META, Visitor, endpoints

SETTINGS = dict(
    profile="grid", rate_by="quality", quality=25, bpp=0.5, kilobytes=1.5, psnr=30, effort=0,
    side="768 px", api_name="/encode",
)  # fmt: skip
CODECS = ["results/jpeg-420", "results/avif-444", "results/grid-effort-default", "baselines/vtm"]
STATUS, RANKING, SLIDER, FILE, GALLERY = 0, 2, 4, 5, 7
ITERATION = re.compile(r"iteration (\d+) of (\d+)")


@pytest.fixture
def client(demo):
    return new_client(demo)


def new_client(demo):
    return gradio_client.Client(demo.url, verbose=False)


@pytest.fixture(scope="module")
def picture_path(tmp_path_factory):
    return save(skimage_data.coffee(), tmp_path_factory.mktemp("picture") / "coffee.png")


def save(array: np.ndarray, path: Path, size=(128, 96)) -> Path:
    Image.fromarray(array).resize(size).save(path)
    return path


def encode(client, path, **changed):
    settings = SETTINGS | changed
    return client.submit(picture=gradio_client.handle_file(path), **settings)


def refusal(client, **arguments) -> str:
    with pytest.raises(gradio_client.exceptions.AppError) as caught:
        client.predict(**arguments)
    return str(caught.value)


def test_a_picture_becomes_a_file_that_decodes_to_what_is_shown(client, picture_path):
    result = encode(client, picture_path).result()
    data = Path(result[FILE]).read_bytes()
    assert Path(result[FILE]).name == "coffee.pranc"
    original, shown = (np.asarray(Image.open(path)) for path in result[SLIDER])
    assert np.array_equal(original, np.asarray(Image.open(picture_path)))
    assert np.array_equal(shown, pranc_codec.decode_array(data))
    assert f"{len(data):,} bytes" in result[STATUS]


def test_other_formats_have_no_more_bytes(client, picture_path):
    result = encode(client, picture_path).result()
    ours = Path(result[FILE]).stat().st_size
    captions = [entry["caption"] for entry in result[GALLERY]]
    assert [caption.split(":")[0] for caption in captions] == [
        "Original", "pranc", "JPEG", "WebP", "AVIF",
    ]  # fmt: skip
    for name, size, note in re.findall(
        r"<th>(\w+)</th>.*?([\d,]+) bytes(<small>)?", result[RANKING]
    ):
        assert int(size.replace(",", "")) <= ours or note, name


@pytest.mark.parametrize(
    ("rate_by", "profile"), [("bpp", "grid"), ("kB", "grid"), ("psnr", "grid"), ("bpp", "mlp")]
)
def test_targets_are_met(client, picture_path, rate_by, profile):
    result = encode(client, picture_path, rate_by=rate_by, profile=profile).result()
    data = Path(result[FILE]).read_bytes()
    assert pranc_codec.inspect(data).profile == profile
    if rate_by == "psnr":
        assert 29.9 <= float(re.search(r"([\d.]+) dB", result[STATUS])[1]) <= 30.3
    else:
        wanted = 1500 if rate_by == "kB" else 0.5 * 128 * 96 / 8
        assert len(data) == pytest.approx(wanted, rel=0.021, abs=4)


def test_progress_moves_and_previews_come(client, picture_path):
    job = encode(client, picture_path, effort=7)
    while not (len(set(iterations_of(job))) >= 3 and previews_of(job)):
        assert not job.done()
        time.sleep(0.05)
    told = iterations_of(job)
    assert told == sorted(told)
    assert job.cancel()


def previews_of(job) -> list[str]:
    """Previews that have been told so far."""
    found = (output[1] for output in job.outputs())
    return [update["value"] for update in found if isinstance(update, dict) and update.get("value")]


def iterations_of(job) -> list[int]:
    """Iterations of the fit that have been told so far."""
    found = (ITERATION.search(str(output[STATUS])) for output in job.outputs())
    return [int(match[1]) for match in found if match]


def test_cancel_frees_the_place_at_once(demo, picture_path, tmp_path):
    """Who comes after does not wait until a cancelled fit would have been done."""
    large = save(skimage_data.astronaut(), tmp_path / "large.png", (320, 256))
    first, second = new_client(demo), new_client(demo)
    job = encode(first, large, effort=7)
    while not iterations_of(job):
        time.sleep(0.05)
        assert not job.done()
    start, begin_at = time.monotonic(), iterations_of(job)[-1]
    while iterations_of(job)[-1] == begin_at:
        time.sleep(0.05)
    pace_s = (time.monotonic() - start) / (iterations_of(job)[-1] - begin_at)
    assert job.cancel()
    begin = time.monotonic()
    result = encode(second, picture_path).result()
    assert time.monotonic() - begin < pace_s * (320 - iterations_of(job)[-1])
    assert Path(result[FILE]).stat().st_size > 100


def test_two_users_at_once(demo, picture_path, tmp_path):
    """The second waits in the queue, and each gets their own."""
    other_path = save(skimage_data.astronaut(), tmp_path / "astronaut.png")
    clients = [new_client(demo), new_client(demo)]
    jobs, ranks = [encode(clients[0], picture_path, effort=2)], []
    while not jobs[0].outputs():
        time.sleep(0.02)
    jobs.append(encode(clients[1], other_path))
    while not jobs[1].outputs() and not jobs[1].done():
        ranks.append((jobs[1].status().code.name, jobs[1].status().rank))
        time.sleep(0.02)  # without a pause, the client has no time to submit
    assert any(code == "IN_QUEUE" and rank is not None for code, rank in ranks)
    for job, path in zip(jobs, (picture_path, other_path), strict=True):
        decoded = pranc_codec.decode_array(Path(job.result()[FILE]).read_bytes())
        own = np.asarray(Image.open(path)).astype(int)
        assert np.abs(decoded - own).mean() < 8


def test_decode_window_and_look_inside(client, encoded, grid_file, tmp_path):
    for number, data in enumerate((encoded, grid_file)):
        path = tmp_path / f"{number}.pranc"
        path.write_bytes(data)
        file = gradio_client.handle_file(path)
        shown, header, *_ = client.predict(file, api_name="/decode")
        assert np.array_equal(np.asarray(Image.open(shown)), pranc_codec.decode_array(data))
        assert "96 x 64, RGB" in header
        (_, rendered), words = client.predict(file, 8, 0, 100, api_name="/window")
        expected = pranc_codec.decode_array(data, size=(768, 512), region=(0, 32, 640, 512))
        assert np.array_equal(np.asarray(Image.open(rendered)), expected)
        assert "640 x 480 of 768 x 512" in words
        words, *_ = client.predict(file, api_name="/look_inside")
        assert f"{len(data):,} bytes" in words
        assert ("latents" in words) == (number == 1)


def test_the_beginning_of_a_file(client, encoded, grid_file, tmp_path):
    path = tmp_path / "grid.pranc"
    path.write_bytes(grid_file)
    shown, words = client.predict(gradio_client.handle_file(path), 2, api_name="/beginning")
    softer = pranc_codec.decode_array(grid_file, levels=2)
    assert np.array_equal(np.asarray(Image.open(shown)), softer)
    assert f"first {pranc_codec.analyze(grid_file).prefix_bytes[2]:,} of" in words
    path.write_bytes(encoded)
    shown, words = client.predict(gradio_client.handle_file(path), 2, api_name="/beginning")
    assert shown is None
    assert "no levels" in words


def test_kodak_curves(client):
    figure = json.loads(client.predict("kodim03", CODECS, api_name="/kodak")["plot"])
    names = {trace["name"] for trace in figure["data"]}
    assert names == {"JPEG 4:2:0", "AVIF 4:4:4", "pranc grid, default effort"}


def hostile_files(whole: bytes):
    yield b"", "ends after 0 bytes"
    yield b"<script>alert(1)</script>", "not a .pranc file"
    yield whole[:-20], "ends"
    yield whole[:40] + bytes([whole[40] ^ 1]) + whole[41:], "checksum"
    huge = pranc_codec.encode(np.zeros((1, 1), np.uint8), effort=0)
    yield huge + b"more", "follow"


def test_hostile_files_are_refused_in_words(demo, client, grid_file, tmp_path):
    for number, (data, words) in enumerate(hostile_files(grid_file)):
        path = tmp_path / f"{number}.pranc"
        path.write_bytes(data)
        for name in ("/decode", "/look_inside", "/window"):
            text = refusal(client, path=gradio_client.handle_file(path), api_name=name)
            assert words in text
            assert "Traceback" not in text
    assert "Traceback" not in demo.log.read_text()


def hostile_pictures(folder: Path):
    text, cut, large = (folder / name for name in ("text.png", "cut.png", "large.png"))
    text.write_text("no picture")
    yield text, "not a picture"
    file = io.BytesIO()
    Image.fromarray(skimage_data.coffee()).save(file, "PNG")
    cut.write_bytes(file.getvalue()[:5000])
    yield cut, "damaged"
    Image.new("1", (5000, 4000)).save(large)
    yield large, "5000x4000 is more than the 16 megapixels"


def test_hostile_pictures_are_refused_in_words(client, tmp_path):
    for path, words in hostile_pictures(tmp_path):
        file = gradio_client.handle_file(path)
        assert words in refusal(client, picture=file, **SETTINGS)


def test_targets_out_of_reach_are_refused_in_words(client, picture_path):
    file = gradio_client.handle_file(picture_path)
    assert "cannot be met" in refusal(
        client, picture=file, **SETTINGS | dict(rate_by="kB", kilobytes=1000)
    )


def test_uploads_are_bounded(client, tmp_path):
    path = tmp_path / "large.pranc"
    path.write_bytes(bytes(21_000_000))
    with pytest.raises(Exception, match="413|exceed|too large"):
        client.predict(path=gradio_client.handle_file(path), api_name="/decode")


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_only_who_was_told_a_files_name_can_fetch_it(demo, picture_path):
    """Names hold 128 random bits; folders are not listed, nothing else is served, not even to who
    knows where a file lies."""
    visitor = Visitor(url=demo.url)
    (upload,) = visitor.upload("coffee.png", picture_path.read_bytes()).json()
    by_name = {endpoint.name: endpoint for endpoint in endpoints(demo.url)}
    file = {"path": upload, "meta": META}
    settings = [value for key, value in SETTINGS.items() if key != "api_name"]
    message = visitor.call(by_name["encode"].number, [file, *settings])
    names = re.findall(r'"path": "([^"]+)"', json.dumps(message))
    name = next(name for name in names if name.endswith("coffee.pranc"))
    known = [path for path in demo.files() if path.name == "coffee.pranc"]
    assert status_of(f"{demo.url}/gradio_api/file={name}") == 200
    token, _, file_name = name.partition("/")
    assert file_name == "coffee.pranc"
    assert all(token not in str(path) for path in known)
    guessed = f"{secrets.token_hex(16)}/{file_name}"
    folder = known[0].parent.parent
    for path in (
        guessed, token, f"{token}/", f"{token}/..", f"{token}/../{name}", known[0], folder,
        known[0].parent, "/etc/passwd", Path(__file__), "README.md",
    ):  # fmt: skip
        assert status_of(f"{demo.url}/gradio_api/file={urllib.parse.quote(str(path))}") in (
            403,
            404,
        )
    assert re.fullmatch(r"[0-9a-f]{32}", token)
    assert folder.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["decode", "encode"])
def test_a_path_on_the_server_is_no_upload(demo, name):
    settings = [value for key, value in SETTINGS.items() if key != "api_name"]
    file = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    body = {"data": [file, *(settings if name == "encode" else [])]}
    logged = demo.log.read_text()
    request = urllib.request.Request(
        f"{demo.url}/gradio_api/call/{name}", json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{demo.url}/gradio_api/call/{name}/{event}") as answer:
        text = answer.read().decode()
    assert "event: error" in text
    assert "root:" not in text
    assert "not a file of yours" in text  # refused as a path, not as a picture
    assert demo.log.read_text() == logged
