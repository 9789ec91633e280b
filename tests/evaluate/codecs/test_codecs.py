"""The codecs of an evaluation: what they do, how they are named, how others announce theirs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as skimage_data
from typer.testing import CliRunner

import pranc_codec.evaluate.codecs.registry
from pranc_codec.commands.cli import app
from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate import Sweep, codec_names, find_codec, parse_sweep
from pranc_codec.metrics import psnr_db
from tests.evaluate.distribution import announce_codecs

CLASSICAL = {  # name: settings of a small file and of a large one, first bytes of a file
    "jpeg": ({"quality": 20}, {"quality": 90}, b"\xff\xd8\xff"),
    "jpeg-444": ({"quality": 20}, {"quality": 90}, b"\xff\xd8\xff"),
    "jpeg2000": ({"ratio": 60}, {"ratio": 8}, b"\0\0\0\x0cjP  "),
    "webp": ({"quality": 20, "method": 6}, {"quality": 90, "method": 6}, b"RIFF"),
    "avif": ({"quality": 30, "speed": 8}, {"quality": 80, "speed": 8}, b"\0\0\0"),
    "avif-444": ({"quality": 30, "speed": 8}, {"quality": 80, "speed": 8}, b"\0\0\0"),
    "jpegxl": ({"distance": 6, "effort": 5}, {"distance": 1, "effort": 5}, b"\xff\x0a"),
}


@pytest.mark.parametrize("name", sorted(CLASSICAL))
def test_more_bytes_buy_more_likeness(name: str, photo: Image.Image) -> None:
    codec = find_codec(name)
    small, large, start = CLASSICAL[name]
    files = [codec.encode(photo, settings) for settings in (small, large)]
    quality = [psnr_db(np.asarray(photo), codec.decode(data)) for data in files]
    assert all(data.startswith(start) for data in files)
    assert len(files[0]) < len(files[1])
    assert 15 < quality[0] + 1 < quality[1]
    assert codec.encode(photo, large) == files[1]


@pytest.mark.parametrize("name", sorted(CLASSICAL))
def test_codecs_know_their_libraries_their_settings_and_eight_points(name: str) -> None:
    codec = find_codec(name)
    assert any(library in codec.version for library in ("Pillow", "imagecodecs"))
    assert "None" not in codec.version
    assert len(codec.points) >= 8
    assert {codec.parameter, *codec.settings} == set(CLASSICAL[name][0])


@pytest.mark.parametrize("name", codec_names())
def test_a_result_names_the_codec_that_made_it(name: str) -> None:
    assert find_codec(find_codec(name).name).version == find_codec(name).version


def test_speed_and_subsampling_of_avif_change_its_files(photo: Image.Image) -> None:
    half, full = find_codec("avif"), find_codec("avif-444")
    coded = {
        codec.encode(photo, {"quality": 70, "speed": speed})
        for codec in (half, full)
        for speed in (4, 10)
    }
    assert len(coded) == 4


@pytest.mark.parametrize("name", ["avif-444", "jpegxl"])
def test_bytes_do_not_depend_on_the_thread_budget(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.fromarray(skimage_data.astronaut())
    files = set()
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        files.add(find_codec(name).encode(image, CLASSICAL[name][0]))
    assert len(files) == 1


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("jpeg", {"quality": 0}, r"jpeg takes quality \(a whole number in 1..100\)"),
        ("jpeg", {"quality": 50.5}, "got {'quality': 50.5}"),
        ("jpeg", {"quality": 50, "effort": 1}, "jpeg takes quality"),
        ("jpeg", {}, "jpeg takes quality"),
        ("avif", {"quality": 50}, r"speed \(a whole number in 0..10\)"),
        ("jpegxl", {"distance": 30, "effort": 7}, r"distance \(a number in 0.05..25\)"),
        ("webp", {"quality": "best", "method": 6}, "webp takes quality"),
    ],
)
def test_settings_without_meaning_are_refused(
    name: str, settings: dict[str, int | float | str], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        find_codec(name).encode(Image.new("RGB", (8, 8)), settings)


def test_a_sweep_is_read_from_a_line() -> None:
    assert parse_sweep("webp") == Sweep(codec=find_codec("webp"), points=find_codec("webp").points)
    sweep = parse_sweep("avif-444:quality=20/40.5,speed=6")
    assert (sweep.points, sweep.settings) == ((20, 40.5), {"speed": 6})
    sweep = parse_sweep("pranc-grid:bpp=0.25/0.5,effort=max,device=cuda:0")
    assert (sweep.codec.parameter, sweep.points) == ("bpp", (0.25, 0.5))
    assert sweep.settings == {"effort": "max", "device": "cuda:0"}
    assert parse_sweep("jpeg:quality=30").points == (30,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jpg", "known are avif, avif-420, avif-444, jpeg, jpeg-420, jpeg-444"),
        ("jpeg:quality", "expected NAME:KEY=VALUE"),
        ("jpeg:quality=1,quality=2", "different keys"),
        ("avif:quality=1/2,speed=3/4", "varies quality and speed"),
        ("jpeg:quality=low/high", "'low' is not a number"),
    ],
)
def test_lines_that_are_no_sweep_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        parse_sweep(text)


def example_of_the_documentation() -> str:
    """The ten lines at the head of the module that tells how to add a codec."""
    text = pranc_codec.evaluate.codecs.registry.__doc__ or ""
    lines = text.split("# palette_codec.py\n")[1].split("\n\nPass this object")[0].splitlines()
    return "\n".join(line.removeprefix("    ") for line in lines)


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds the documented codec as an installed distribution, and two wrong ones."""
    (tmp_path / "palette_codec.py").write_text(example_of_the_documentation())
    announce_codecs(tmp_path, palette="palette_codec:CODEC", text="os:sep", folder="os:getcwd")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("distribution")
def test_installed_codecs_are_found(photo: Image.Image) -> None:
    codec = find_codec("palette")
    assert "palette" in codec_names()
    assert codec.points == (4, 16, 64, 256)
    decoded = codec.decode(codec.encode(photo, {"colours": 4}))
    assert len(np.unique(decoded.reshape(-1, 3), axis=0)) == 4
    with pytest.raises(InvalidArgument, match="announced as os:getcwd, which is a str"):
        find_codec("folder")


def test_installed_codecs_are_measured_by_the_command(
    distribution: Path, photo: Image.Image
) -> None:
    """In a worker process, which must find the codec too."""
    (distribution / "images").mkdir()
    photo.save(distribution / "images" / "photo.png")
    arguments = ["evaluate", distribution / "images", "--results", distribution / "runs"]
    done = CliRunner().invoke(app, [*map(str, arguments), "--codec", "palette"])
    assert done.exit_code == 0, done.output
    assert (distribution / "runs" / "palette.json").exists()
