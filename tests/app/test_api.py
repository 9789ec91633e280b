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

gradio_client = pytest.importorskip("gradio_client")
SETTINGS = dict(
    profile="grid", rate_by="quality", quality=25, bpp=0.5, kilobytes=1.5, psnr=30, effort=0,
    side="768 px", api_name="/encode",
)  # fmt: skip
CODECS = ["results/jpeg-420", "results/avif-444", "results/grid-effort-default", "baselines/vtm"]
STATUS, RANKING, SLIDER, FILE, GALLERY = 0, 2, 4, 5, 7
STEP = re.compile(r"step (\d+) of (\d+)")


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
    job = encode(client, picture_path, effort=5)
    outputs = list(job)
    steps = steps_of(job)
    assert len(set(steps)) >= 3
    assert steps == sorted(steps)
    previews = [o[1] for o in outputs if isinstance(o[1], dict) and o[1].get("value")]
    assert previews


def steps_of(job) -> list[int]:
    """Steps of the fit that have been told so far."""
    found = (STEP.search(str(output[STATUS])) for output in job.outputs())
    return [int(match[1]) for match in found if match]


def test_cancel_frees_the_place_at_once(demo, picture_path, tmp_path):
    """Who comes after does not wait until a cancelled fit would have been done."""
    large = save(skimage_data.astronaut(), tmp_path / "large.png", (512, 512))
    first, second = new_client(demo), new_client(demo)
    job = encode(first, large, effort=7)
    while not steps_of(job):
        time.sleep(0.1)
        assert not job.done()
    start, from_step = time.monotonic(), steps_of(job)[-1]
    while steps_of(job)[-1] == from_step:
        time.sleep(0.1)
    pace_s = (time.monotonic() - start) / (steps_of(job)[-1] - from_step)
    assert job.cancel()
    begin = time.monotonic()
    result = encode(second, picture_path).result()
    assert time.monotonic() - begin < pace_s * (320 - steps_of(job)[-1])
    assert Path(result[FILE]).stat().st_size > 100


def test_two_users_at_once(demo, picture_path, tmp_path):
    """The second waits in the queue, and each gets their own."""
    other_path = save(skimage_data.astronaut(), tmp_path / "astronaut.png")
    jobs, ranks = [], []
    for path in (picture_path, other_path):
        jobs.append(encode(new_client(demo), path, effort=2))
    while not jobs[1].outputs() and not jobs[1].done():
        ranks.append((jobs[1].status().code.name, jobs[1].status().rank))
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


def test_only_who_knows_a_files_content_can_fetch_it(demo, client, picture_path):
    """Files lie under the SHA-256 of their content; folders are not listed, nothing else is
    served."""
    encode(client, picture_path).result()
    known = [path for path in demo.files() if path.name == "coffee.pranc"]
    assert status_of(f"{demo.url}/gradio_api/file={known[0]}") == 200
    guessed = known[0].parent.with_name(secrets.token_hex(32)) / known[0].name
    folder = known[0].parent.parent
    for path in (guessed, folder, known[0].parent, "/etc/passwd", Path(__file__), "README.md"):
        assert status_of(f"{demo.url}/gradio_api/file={urllib.parse.quote(str(path))}") in (
            403,
            404,
        )
    assert all(re.fullmatch(r"[0-9a-f]{32}", path.parent.name) for path in known)
    assert folder.stat().st_mode & 0o077 == 0


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
    told = demo.log.read_text().removeprefix(logged)
    assert "InvalidPathError" in told  # refused as a path, not as a picture
