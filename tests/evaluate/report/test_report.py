"""Reports in CompressAI's schema, BD-rates and plots, from made-up results."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate import (
    Curve,
    Result,
    bd_rate,
    bd_table,
    load_curve,
    load_report,
    plot_curves,
    write_report,
)
from pranc_codec.evaluate.report import aggregate

ANCHOR = Curve(name="anchor", bpp=(0.1, 0.2, 0.5, 1.0, 2.0), psnr_db=(25.0, 28.0, 32.0, 35.5, 40.0))


def result(image: str, quality: int, **changes: Any) -> Result:
    """A made-up result of 10 * quality bytes."""
    made = Result(
        image=image,
        image_sha256=f"hash of {image}",
        width=40,
        height=20,
        codec="jpeg",
        version="1",
        parameter="quality",
        settings={"quality": quality},
        file_bytes=10 * quality,
        bpp=quality / 10,
        psnr_db=20.0 + quality,
        ssim=0.9,
        ms_ssim=0.99,
        ssimulacra2=70.0,
        encode_s=0.5,
        decode_s=0.25,
        peak_memory_bytes=1000,
        threads=1,
        device="cpu",
    )
    return replace(made, **changes)


def rate_times(factor: float, curve: Curve = ANCHOR) -> Curve:
    return Curve(name="test", bpp=tuple(factor * r for r in curve.bpp), psnr_db=curve.psnr_db)


def test_a_report_holds_means_over_images_in_rising_order_of_rate() -> None:
    results = [result("a", 20), result("a", 5), result("b", 20, bpp=4.0, psnr_db=30.0)]
    report = aggregate([*results, result("b", 5)], name="ours")
    assert report["name"] == "ours"
    assert report["results"] == {
        "bpp": [0.5, 3.0],
        "psnr-rgb": [25.0, 35.0],
        "ssim-rgb": [0.9, 0.9],
        "ms-ssim-rgb": [0.99, 0.99],
        "ssimulacra2": [70.0, 70.0],
        "encoding_time": [0.5, 0.5],
        "decoding_time": [0.25, 0.25],
        "psnr-of-mean-mse-rgb": [25.0, 32.596373],  # -10 log10((10**-4 + 10**-3) / 2)
    }
    assert report["per_image"]["b"]["bpp"] == [0.5, 4.0]
    assert report["per_image"]["b"]["peak_memory_bytes"] == [1000, 1000]
    assert report["meta"]["points"] == [5, 20]
    assert "jpeg (1), quality = 5, 20" in report["description"]
    assert "over 2 images" in report["description"]


def test_no_key_with_ms_ssim_is_in_db_and_none_is_null() -> None:
    """CompressAI's plot converts every series whose name contains "ms-ssim" to dB."""
    report = aggregate([result("a", 5), result("a", 20)])
    series = [values for key, values in report["results"].items() if "ms-ssim" in key]
    assert series
    assert all(0 <= value <= 1 for values in series for value in values)
    small = aggregate([result("a", 5), result("a", 20, ms_ssim=None)])
    assert "ms-ssim-rgb" not in small["results"]
    assert "ssim-rgb" in small["results"]


def test_a_written_report_is_strict_json_and_gives_its_curve_back(tmp_path: Path) -> None:
    results = [result("a", q) for q in (20, 5, 10)] + [result("a", 50, psnr_db=math.inf)]
    write_report(aggregate(results, name="ours"), tmp_path / "ours.json")
    document = json.loads((tmp_path / "ours.json").read_text(), parse_constant=pytest.fail)
    assert document == aggregate(results, name="ours")
    assert document["results"]["psnr-rgb"] == [25.0, 30.0, 40.0, None]
    curve = load_curve(tmp_path / "ours.json")
    assert curve == Curve(name="ours", bpp=(0.5, 1.0, 2.0), psnr_db=(25.0, 30.0, 40.0))


def test_unequal_sets_of_images_are_not_averaged() -> None:
    results = [result("a", 5), result("b", 5), result("c", 5), result("b", 20)]
    with pytest.raises(InvalidArgument, match=r"quality = 20 lacks a, c$"):
        aggregate(results)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (result("a", 20, version="2"), "different codecs or settings"),
        (result("a", 20, settings={"quality": 20, "effort": 1}), "different codecs or settings"),
        (result("a", 5), "rename or leave out"),
        (result("a", 20, image_sha256="of another a"), "rename or leave out"),
    ],
)
def test_results_that_do_not_belong_together_are_refused(other: Result, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        aggregate([result("a", 5), other])


def test_no_results_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="no results"):
        aggregate([])


def test_files_of_compressai_are_read(tmp_path: Path) -> None:
    """Its model results: old keys, no order, and Infinity, which is no strict JSON."""
    text = """{"name": "mbt2018", "description": "Inference (ans)", "results": {
        "psnr": [31.4, 28.1, Infinity, 29.6], "ms-ssim": [0.96, 0.92, 1.0, 0.94],
        "bpp": [0.29, 0.11, 9.0, 0.19], "encoding_time": [5.4, 5.5, 5.3, 5.4]}}"""
    (tmp_path / "theirs.json").write_text(text)
    report = load_report(tmp_path / "theirs.json")
    assert report.results["bpp"] == [0.11, 0.19, 0.29, 9.0]
    assert report.results["psnr-rgb"] == [28.1, 29.6, 31.4, None]
    assert report.results["ms-ssim-rgb"] == [0.92, 0.94, 0.96, 1.0]
    assert report.per_image == {}
    expected = Curve(name="mbt2018", bpp=(0.11, 0.19, 0.29), psnr_db=(28.1, 29.6, 31.4))
    assert load_curve(tmp_path / "theirs.json") == expected


def test_reports_remember_what_was_measured(tmp_path: Path) -> None:
    write_report(aggregate([result("a", 20), result("a", 5)]), tmp_path / "ours.json")
    report = load_report(tmp_path / "ours.json")
    assert (report.codec, report.version, report.parameter) == ("jpeg", "1", "quality")
    assert report.points == [5, 20]
    assert report.images == {"a": "hash of a"}
    assert report.curve("a") == report.curve()


def test_means_over_other_images_are_not_compared(tmp_path: Path) -> None:
    for names in ("ab", "a"):
        found = [result(image, q) for image in names for q in (5, 10, 15)]
        write_report(aggregate(found, name=names), tmp_path / f"{names}.json")
    both, one = (load_report(tmp_path / f"{names}.json") for names in ("ab", "a"))
    assert "| a | - | of other images (1 and 2) |" in bd_table([both, one], both).markdown()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"results": {"bpp": [1], "psnr-rgb": []}}'])
def test_files_without_a_curve_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InvalidArgument, match=r"x\.json has no curve"):
        load_curve(tmp_path / "x.json")


def test_the_curve_of_one_image(tmp_path: Path) -> None:
    results = [result("a", 5), result("b", 5)]
    write_report(aggregate(results), tmp_path / "x.json")
    curve = load_curve(tmp_path / "x.json", image="a")
    assert curve.bpp == pytest.approx([results[0].bpp])
    with pytest.raises(InvalidArgument, match="no results of c"):
        load_curve(tmp_path / "x.json", image="c")


@pytest.mark.parametrize("psnr_range_db", [None, (28.0, 39.0), (30.1, 30.2)])
def test_half_the_rate_is_minus_50_percent(psnr_range_db: tuple[float, float] | None) -> None:
    found = bd_rate(rate_times(0.5), ANCHOR, psnr_range_db=psnr_range_db)
    assert found.percent == pytest.approx(-50)
    assert (found.low_db, found.high_db) == (psnr_range_db or (25.0, 40.0))
    assert bd_rate(rate_times(2), ANCHOR, psnr_range_db=psnr_range_db).percent == pytest.approx(100)


def test_only_the_range_asked_for_counts() -> None:
    """Half the rate up to 32 dB and twice the rate from 34 dB on."""
    test = Curve(name="test", bpp=(0.05, 0.1, 0.25, 2.0, 4.0), psnr_db=ANCHOR.psnr_db)
    assert bd_rate(test, ANCHOR, psnr_range_db=(25, 32)).percent == pytest.approx(-50, abs=2)
    assert bd_rate(test, ANCHOR, psnr_range_db=(35.5, 40)).percent == pytest.approx(100, abs=5)


def test_the_interval_is_what_both_curves_cover() -> None:
    part = Curve(name="part", bpp=(0.15, 0.3, 0.6), psnr_db=(29.0, 31.0, 33.5))
    found = bd_rate(part, ANCHOR, psnr_range_db=(28, 39))
    assert (found.low_db, found.high_db) == (29.0, 33.5)


def test_curves_without_a_bd_rate_are_refused() -> None:
    above = replace(ANCHOR, name="above", psnr_db=tuple(p + 20 for p in ANCHOR.psnr_db))
    with pytest.raises(InvalidArgument, match=r"above covers 45\.00\.\.60\.00 dB.*share no"):
        bd_rate(above, ANCHOR)
    with pytest.raises(InvalidArgument, match="share no"):
        bd_rate(ANCHOR, ANCHOR, psnr_range_db=(41, 45))
    falling = replace(ANCHOR, name="falling", psnr_db=(25.0, 28.0, 27.0, 35.5, 40.0))
    with pytest.raises(InvalidArgument, match=r"falling does not rise from \(0\.2 bpp, 28\.0 dB\)"):
        bd_rate(ANCHOR, falling)
    with pytest.raises(InvalidArgument, match="one point"):
        bd_rate(ANCHOR, Curve(name="dot", bpp=(1.0,), psnr_db=(30.0,)))


def test_a_plot_is_a_png_of_900_by_600(tmp_path: Path) -> None:
    path = tmp_path / "plots" / "all.png"
    published = [rate_times(factor / 8) for factor in range(1, 20)]
    plot_curves([ANCHOR, *published], path, title="Test", measured={"anchor"})
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size == (900, 600)
        colours = image.convert("RGB").getcolors(1 << 20)
    assert colours
    assert (209, 73, 91) in {colour for _, colour in colours}
    assert [each.name for each in path.parent.iterdir()] == ["all.png"]


def test_plots_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="not among"):
        plot_curves([ANCHOR], tmp_path / "x.png", title="", measured={"ours"})
    with pytest.raises(InvalidArgument):
        plot_curves([], tmp_path / "x.png", title="")
    assert not list(tmp_path.iterdir())
