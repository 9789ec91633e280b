"""Evaluation: results, and runs that are resumed, that fail, that are interrupted."""

import json
import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import pranc_codec
from pranc_codec.errors import InvalidArgument, PrancError
from pranc_codec.evaluate import (
    Execution,
    Result,
    Sweep,
    evaluate,
    evaluate_all,
    find_codec,
    load_curve,
    write_report,
)
from pranc_codec.evaluate.codecs import ours
from pranc_codec.evaluate.harness import measure, run
from pranc_codec.evaluate.harness.store import Unit
from pranc_codec.evaluate.harness.workers import threads_per_process
from pranc_codec.evaluate.report import aggregate
from tests.evaluate.harness.odd_codecs import FAULTY, HUNGRY, JPEG, TELLING


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of two small images and a file that is none."""
    folder = tmp_path / "images"
    folder.mkdir()
    rows, columns = np.mgrid[0:24, 0:40]
    for name, period in (("fine", 3), ("coarse", 9)):
        wave = 127 + 100 * np.sin((rows + 2 * columns) / period)
        pixels = np.stack([wave, wave[::-1], 255 - wave], axis=-1).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture
def coded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Measure in this process, which is faster; the titles of the units that were measured."""
    titles: list[str] = []

    def outcomes_of(units: list[tuple[int, Unit]], jobs: int) -> Iterator[tuple[int, Any]]:
        for index, unit in units:
            titles.append(unit.title())
            yield index, measure.measure(unit)

    monkeypatch.setattr(run, "outcomes_of", outcomes_of)
    return titles


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small image."""
    path = tmp_path_factory.mktemp("images") / "fine.png"
    Image.fromarray(np.arange(24 * 40 * 3, dtype=np.uint8).reshape(24, 40, 3)).save(path)
    return path


@pytest.fixture(scope="module")
def one_worker(fine: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run in one real worker at a time: its results, and its error.

    Of the first sweep one unit raises, one dies and one is well; then three units take 300, 1 and
    100 MB. All of that happens while this process has had 500 MB, and must leave its environment
    as it is.
    """
    results = tmp_path_factory.mktemp("one-worker")
    np.ones(500_000_000, np.uint8).sum()
    sweeps = [
        Sweep(codec=FAULTY, points=(2, 3, 50)),
        Sweep(codec=HUNGRY, points=(300, 1, 100)),
    ]
    environment = dict(os.environ)
    with pytest.raises(PrancError) as caught:
        evaluate_all([fine], sweeps, results=results)
    assert dict(os.environ) == environment
    return results, str(caught.value)


@pytest.fixture(scope="module")
def two_workers(fine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a run in two real workers, interrupted after a unit while another one hangs."""

    def interrupt(done: int, total: int, last: Result) -> None:
        if last.codec == FAULTY.name:
            interrupted.append(time.monotonic())
            raise KeyboardInterrupt

    results = tmp_path_factory.mktemp("two-workers")
    sweeps = [
        Sweep(codec=TELLING, points=tuple(range(1, 9))),
        Sweep(codec=FAULTY, points=(4, 50)),
    ]
    interrupted: list[float] = []
    with pytest.raises(KeyboardInterrupt):
        evaluate_all(
            [fine], sweeps, results=results, execution=Execution(jobs=2), progress=interrupt
        )
    assert time.monotonic() - interrupted[0] < 60
    return results


def workers() -> list[str]:
    """Command lines of the worker processes of this one."""
    children = psutil.Process().children()
    lines = [" ".join(child.cmdline()) for child in children if child.status() != "zombie"]
    return [line for line in lines if "popen_loky_posix" in line]


def strict(path: Path) -> Any:
    """A file's JSON, which must not contain NaN or Infinity."""
    return json.loads(path.read_text(), parse_constant=pytest.fail)


@pytest.mark.usefixtures("coded")
def test_results_are_of_the_file_and_come_by_image_then_point(images: Path, tmp_path: Path) -> None:
    found = evaluate(images, codec=JPEG, points=[90, 20], results=tmp_path / "out", keep_files=True)
    order = [(r.image, r.settings["quality"]) for r in found]
    assert order == [("coarse", 90), ("coarse", 20), ("fine", 90), ("fine", 20)]
    for each in found:
        (kept,) = (tmp_path / "out").glob(
            f"{each.image}-jpeg-420-quality={each.settings['quality']}-*.jpg"
        )
        assert each.file_bytes == kept.stat().st_size
        assert each.bpp == 8 * each.file_bytes / (40 * 24)
    assert found[0].bpp > found[1].bpp
    assert found[0].psnr_db > found[1].psnr_db
    assert found[0].ms_ssim is None
    assert found[0].ssim is not None


def test_a_second_run_codes_nothing(images: Path, tmp_path: Path, coded: list[str]) -> None:
    out = tmp_path / "out"
    first = evaluate(images, codec=JPEG, points=[20, 50], results=out)
    assert len(coded) == 4
    seen: list[tuple[int, int]] = []
    second = evaluate(
        images,
        codec=JPEG,
        points=[20.0, 50],
        results=out,
        progress=lambda done, total, _: seen.append((done, total)),
    )
    assert second == first
    assert len(coded) == 4
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    evaluate(images, codec=replace(JPEG, version="next"), points=[20], results=out)
    assert len(coded) == 6


def test_broken_results_are_measured_again(images: Path, tmp_path: Path, coded: list[str]) -> None:
    out = tmp_path / "out"
    evaluate(images, codec=JPEG, points=[20, 50], results=out)
    coarse20, coarse50, fine20, fine50 = sorted(out.iterdir())
    coarse20.write_text(coarse20.read_text()[:100])
    coarse50.write_text(re.sub(r'"bpp": [\d.]+', '"bpp": Infinity', coarse50.read_text()))
    fine20.write_text(fine50.read_text())
    coded.clear()
    evaluate(images, codec=JPEG, points=[20, 50], results=out)
    assert coded == [
        "coarse-jpeg-420-quality=20",
        "coarse-jpeg-420-quality=50",
        "fine-jpeg-420-quality=20",
    ]
    assert all(strict(path)["codec"] == "jpeg-420" for path in out.iterdir())


def test_kept_files_are_made_up_for(images: Path, tmp_path: Path, coded: list[str]) -> None:
    out = tmp_path / "out"
    evaluate(images, codec=JPEG, points=[20], results=out)
    evaluate(images, codec=JPEG, points=[20], results=out, keep_files=True)
    assert len(coded) == 4
    assert len(list(out.glob("*.jpg"))) == 2


@pytest.mark.usefixtures("coded")
def test_equal_images_have_infinite_psnr_and_strict_json(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "psnr_db", lambda a, b: math.inf)
    for _ in range(2):
        found = evaluate(images, codec=JPEG, points=[95], results=tmp_path / "out")
        assert [r.psnr_db for r in found] == [math.inf, math.inf]
    assert all(strict(path)["psnr_db"] is None for path in (tmp_path / "out").iterdir())
    write_report(aggregate(found), tmp_path / "report.json")
    assert strict(tmp_path / "report.json")["results"]["psnr-rgb"] == [None]
    with pytest.raises(InvalidArgument, match="no point with a finite PSNR"):
        load_curve(tmp_path / "report.json")


def test_failing_units_do_not_lose_the_others(fine: Path, one_worker: tuple[Path, str]) -> None:
    """In real processes: one unit raises, one dies, one is well and has its own peak memory."""
    results, error = one_worker
    assert "2 of 6 units failed" in error
    assert "fine-jpeg-420-quality=2: RuntimeError: quality 2 is not my thing" in error
    assert "fine-jpeg-420-quality=3: its process ended with EXIT(33)" in error
    assert len(list(results.iterdir())) == 4
    (stored,) = evaluate([fine], codec=FAULTY, points=[50], results=results)
    assert stored.threads == os.cpu_count()
    assert stored.device == "cpu"
    assert stored.peak_memory_bytes is None or 0 < stored.peak_memory_bytes < 500_000_000


def test_memory_is_of_the_unit_and_not_of_those_before(
    fine: Path, one_worker: tuple[Path, str]
) -> None:
    """One process: 300 MB for the first unit only, and 100 MB for the last one only."""
    found = evaluate([fine], codec=HUNGRY, points=[300, 1, 100], results=one_worker[0])
    large, small, middle = (result.peak_memory_bytes for result in found)
    if small is None:
        pytest.skip("this system does not tell the peak of a process anew")
    assert large is not None
    assert middle is not None
    assert 280e6 < large - small < 320e6
    assert 80e6 < middle - small < 120e6


def test_an_interrupted_run_leaves_whole_files_and_no_process(two_workers: Path) -> None:
    assert not workers()
    (path,) = two_workers.glob(f"*-{FAULTY.name}-*")
    assert strict(path)["settings"] == {"quality": 50}
    assert all(strict(each)["image"] == "fine" for each in two_workers.iterdir())


def test_a_worker_serves_many_units_and_shares_the_threads(fine: Path, two_workers: Path) -> None:
    assert len(list(two_workers.glob(f"*-{TELLING.name}-*"))) == 8
    found = evaluate([fine], codec=TELLING, points=range(1, 9), results=two_workers)
    assert {result.threads for result in found} == {max(1, (os.cpu_count() or 1) // 2)}
    assert len(found) == 8
    assert len({result.file_bytes for result in found}) <= 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": [], "codec": replace(JPEG, points=())}, "at least one"),
        ({"points": [20, 20]}, "different values"),
        ({"points": [math.nan]}, "finite"),
        ({"settings": {"quality": 3}}, "take it out"),
        ({"jobs": 0}, "at least 1"),
        ({"images": []}, "no images"),
        ({"images": "nowhere"}, "not a folder"),
        ({"images": [__file__]}, "as an image"),
    ],
)
def test_arguments_without_meaning_are_refused(
    images: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    arguments = {"images": images, "codec": JPEG, "points": [20], "results": tmp_path / "out"}
    with pytest.raises(InvalidArgument, match=message):
        evaluate(**{**arguments, **changes})


def test_the_same_image_twice_is_refused(images: Path, tmp_path: Path) -> None:
    (images / "copy.png").write_bytes((images / "fine.png").read_bytes())
    with pytest.raises(InvalidArgument, match="same pixels"):
        evaluate(images, codec=JPEG, points=[20], results=tmp_path)


def test_metadata_is_no_part_of_the_rate(images: Path, tmp_path: Path, coded: list[str]) -> None:
    (plain,) = evaluate([images / "fine.png"], codec=JPEG, points=[50], results=tmp_path / "1")
    with Image.open(images / "fine.png") as image:
        comment = PngInfo()
        comment.add_text("comment", "x" * 1000)
        image.save(images / "fine.png", pnginfo=comment)
    (commented,) = evaluate([images / "fine.png"], codec=JPEG, points=[50], results=tmp_path / "2")
    assert len(coded) == 2
    assert commented.file_bytes == plain.file_bytes
    assert commented.image_sha256 == plain.image_sha256


def test_our_codec_gets_its_settings_as_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(image: Image.Image, **settings: Any) -> bytes:
        return f"{image.size} {sorted(settings.items())}".encode()

    monkeypatch.setattr(ours, "version_of", lambda name: f"{name} 1.2")
    monkeypatch.setattr(pranc_codec, "encode", encode, raising=False)
    codec = find_codec("pranc-mlp")
    assert codec.version == "pranc-codec 1.2; torch torch 1.2, constriction constriction 1.2"
    data = codec.encode(Image.new("RGB", (5, 4)), {"bpp": 0.1, "effort": 2})
    assert data == b"(5, 4) [('bpp', 0.1), ('effort', 2), ('profile', 'mlp')]"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_workers_share_the_cores_that_may_be_used() -> None:
    """In a thread that is bound to one of them, as `taskset` binds a process."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert threads_per_process(1) == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert threads_per_process(1) <= len(allowed)
