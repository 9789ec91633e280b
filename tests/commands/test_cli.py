"""The `pranc` command."""

import json

import pytest
from PIL import Image
from typer.testing import CliRunner

import pranc_codec
from pranc_codec.commands.cli import app

runner = CliRunner()


@pytest.fixture
def photo_path(photo, tmp_path):
    path = tmp_path / "photo.png"
    photo.save(path)
    return path


@pytest.fixture
def pranc_path(encoded, tmp_path):
    path = tmp_path / "file.pranc"
    path.write_bytes(encoded)
    return path


def run(*arguments):
    return runner.invoke(app, [str(a) for a in arguments])


def test_encode_info_decode(photo_path, tmp_path):
    assert run("encode", photo_path, "--bpp", 1, "--effort", 0).exit_code == 0
    encoded = photo_path.with_suffix(".pranc")
    assert abs(8 * encoded.stat().st_size / (96 * 64) - 1) < 0.02
    assert run("info", encoded).exit_code == 0
    report = json.loads(run("info", "--json", encoded).stdout)
    assert report["file_bytes"] == encoded.stat().st_size
    assert run("decode", encoded, "-o", tmp_path / "out.png").exit_code == 0
    with Image.open(tmp_path / "out.png") as decoded:
        assert decoded.size == (96, 64)


def test_size_region_and_format(pranc_path, tmp_path):
    target = tmp_path / "large.jpg"
    options = ("--size", "192x128", "--region", "10,10,60,50")
    assert run("decode", pranc_path, "-o", target, *options).exit_code == 0
    with Image.open(target) as opened:
        assert (opened.size, opened.format) == ((50, 40), "JPEG")


def test_half_a_file_is_a_smaller_picture(grid_file, tmp_path):
    source = tmp_path / "start.pranc"
    source.write_bytes(grid_file[: len(grid_file) * 3 // 4])
    assert run("decode", source).exit_code == 1
    assert run("decode", source, "-o", tmp_path / "small.png", "--reduce", 2).exit_code == 0
    assert run("decode", source, "-o", tmp_path / "soft.png", "--levels", 1).exit_code == 0
    for name, size in (("small", (24, 16)), ("soft", (96, 64))):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.size == size


def test_nothing_is_overwritten_without_force(photo_path, pranc_path):
    before = photo_path.read_bytes()
    result = run("decode", pranc_path, "-o", photo_path)
    assert result.exit_code == 1
    assert "--force" in result.output
    assert photo_path.read_bytes() == before
    assert run("decode", pranc_path, "-o", photo_path, "--force").exit_code == 0
    assert photo_path.read_bytes() != before


def test_many_inputs_one_bad(photo, tmp_path):
    for name in ("a.png", "b.png"):
        photo.save(tmp_path / name)
    (tmp_path / "bad.png").write_bytes(b"no image")
    inputs = [tmp_path / n for n in ("a.png", "bad.png", "b.png")]
    result = run("encode", *inputs, "-o", tmp_path / "out", "--effort", 0)
    assert result.exit_code == 1
    assert "1 of 3 inputs failed" in result.output
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.pranc", "b.pranc"]


def test_failures_leave_no_file(photo_path, tmp_path):
    result = run("encode", photo_path, "--bpp", 0.001, "--effort", 0, "-o", tmp_path / "x.pranc")
    assert result.exit_code == 1
    assert "0.001 bpp" in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("decode", "x.pranc", "--size", "12"),
        ("decode", "x.pranc", "--region", "1,2,3"),
        ("encode", "a/x.png", "b/x.png", "-o", "out"),
        ("encode",),
        ("encode", "."),
        ("decode", "x.pranc", "--suffix", ""),
        ("encode", "x.png", "--bpp", "many"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments):
    assert run(*arguments).exit_code == 2


def test_damaged_file(pranc_path):
    pranc_path.write_bytes(pranc_path.read_bytes()[:-3])
    for command in ("decode", "info"):
        result = run(command, pranc_path)
        assert result.exit_code == 1
        assert "ends at byte" in " ".join(result.output.split())


def test_evaluate(photo, tmp_path, in_this_process):
    (tmp_path / "images").mkdir()
    photo.save(tmp_path / "images" / "a.png")
    arguments = ("evaluate", tmp_path / "images", "--codec", "jpeg:quality=20/60", "--codec",
                 "pranc-mlp:quality=20/60,effort=0", "--results", tmp_path / "runs")  # fmt: skip
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "runs" / "rate-distortion.png").stat().st_size > 1000
    report = json.loads((tmp_path / "runs" / "pranc-mlp-effort-0.json").read_text())
    assert len(report["results"]["bpp"]) == 2


def test_help_has_examples():
    for command in ("encode", "decode", "info", "evaluate", "report", "condense", "train-prior"):
        assert "pranc " + command in run(command, "--help").output


def test_decoding_keeps_metadata(rgba_file, tmp_path):
    (tmp_path / "a.pranc").write_bytes(rgba_file)
    assert run("decode", tmp_path / "a.pranc", "--suffix", "png").exit_code == 0
    with Image.open(tmp_path / "a.png") as decoded:
        assert decoded.info["icc_profile"] == b"profile"


def test_names_are_not_markup(pranc_path, tmp_path):
    odd = tmp_path / "photo[draft][b].pranc"
    odd.write_bytes(pranc_path.read_bytes()[:-1])
    result = run("info", odd)
    assert result.exit_code == 1
    assert "photo[draft][b].pranc" in result.output


def test_version_and_help():
    assert run("--version").output == f"pranc_codec {pranc_codec.__version__}\n"
    assert "--no-no-metadata" not in run("encode", "--help").output


def test_a_file_is_not_written_under_another_formats_name(photo_path, tmp_path):
    result = run("encode", photo_path, "-o", tmp_path / "out.png")
    assert result.exit_code == 1
    assert "not be a PNG file" in result.output
    assert not (tmp_path / "out.png").exists()


def test_unknown_formats_are_refused_before_the_work(pranc_path, tmp_path):
    result = run("decode", pranc_path, "-o", tmp_path / "x.nope")
    assert result.exit_code == 1
    assert ".nope" in result.output
