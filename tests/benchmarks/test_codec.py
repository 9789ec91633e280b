"""Benchmarks of the codec, on tiny inputs: they run, and what they print makes sense."""

import json
import re

import pytest
from PIL import Image
from skimage import data as skimage_data

from benchmarks import (
    ablation_basis,
    ablation_biases,
    ablation_capacity,
    ablation_context,
    ablation_fit,
    campaign,
    demo,
    grid_parts,
    harness_overhead,
    icon,
)
from tests.benchmarks.tables import rows_of


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two photographs; the first is held out."""
    path = tmp_path_factory.mktemp("photographs")
    Image.fromarray(skimage_data.chelsea()[:64, :80]).save(path / "a.png")
    Image.fromarray(skimage_data.astronaut()[:64, :64]).save(path / "b.png")
    return path


def test_grid_parts(capsys):
    grid_parts.main(None, threads=1, runs=1, width=64)
    rows = {row[0]: row[1:] for row in rows_of(capsys.readouterr().out)}
    parts = ("range decoder", "context model", "wavelet, enhancement network", "file to pixels")
    assert tuple(rows) == parts
    assert float(rows["file to pixels"][0]) > float(rows["range decoder"][0]) > 0
    assert [rows[name][1] for name in parts[1:3]] == ["68.3", "47.8"]


def test_ablation_basis(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(ablation_basis, "CASES", (("hash", 1.0), ("hash", 2.0)))
    monkeypatch.setattr(ablation_basis, "IMAGES", ablation_basis.IMAGES[:1])
    monkeypatch.setattr(ablation_basis, "SIZE", (48, 32))
    ablation_basis.main(effort=0, bpp=0.3, output=tmp_path / "basis.json")
    rows = rows_of(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [["direct", "1"], ["hash", "2"]]
    stored = json.loads((tmp_path / "basis.json").read_text())
    assert float(rows[0][-2]) == pytest.approx(stored["results"][0]["mean_db"], abs=0.01)


def test_ablation_biases(photos, capsys, monkeypatch):
    monkeypatch.setattr(ablation_biases, "QUALITIES", (30,))
    ablation_biases.main([photos / "b.png"], effort=3, side=64)
    (row,) = rows_of(capsys.readouterr().out)
    assert row[:2] == ["b", "30"]
    assert float(row[4]) > 0  # the fit of latents pays
    assert int(row[6]) > 0  # coefficients take bytes


def test_ablation_fit(photos, capsys, monkeypatch):
    monkeypatch.setattr(ablation_fit, "LMBDAS", (0.002,))
    ablation_fit.main(photos, schedule=["2x3@0.02", "3x4@0.02"], count=1, side=64)
    rows = rows_of(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["2x3@0.02", "3x4@0.02"]


def test_ablation_context(photos, capsys, monkeypatch):
    monkeypatch.setattr(ablation_context, "LOG2_Q_STEPS", (-3.0,))
    ablation_context.main(photos, iterations=2, count=1, side=64, threads=1)
    rows = rows_of(capsys.readouterr().out)
    assert [row[2] for row in rows] == ["last", "all"]


def test_ablation_capacity(photos, tmp_path, capsys, monkeypatch):
    variants = (ablation_capacity.AS_SHIPPED, "half the width", "without the decoded approximation")
    chosen = {name: ablation_capacity.VARIANTS[name] for name in variants}
    monkeypatch.setattr(ablation_capacity, "VARIANTS", chosen)
    monkeypatch.setattr(ablation_capacity, "SIDE", 32)
    monkeypatch.setattr(ablation_capacity, "CROPS", 1)
    ablation_capacity.main(photos, tmp_path / "capacity", steps=1, threads=1)
    rows = {row[0]: row for row in rows_of(capsys.readouterr().out)}
    assert tuple(rows) == variants
    shipped, *others = ([float(bpp) for bpp in row[2].split()] for row in rows.values())
    assert all(sum(bpp) > sum(shipped) for bpp in others)


def test_icon(capsys, monkeypatch):
    monkeypatch.setattr(icon, "SIDE", 24)
    icon.main(psnr=28, effort=0)
    rows = rows_of(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["astronaut", "coffee", "chelsea"]
    assert all(0 < int(row[1]) < int(row[-1]) for row in rows)  # smaller than PNG


def test_demo(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo, "RATES_BPP", (1.5,))
    demo.main(photos / "b.png", effort=0, output=tmp_path / "demo")
    text = capsys.readouterr().out
    rows = rows_of(text)
    assert [row[0].split()[0] for row in rows[:2]] == ["pranc", "pranc"]
    assert {"jpeg", "avif"} <= {row[0].split()[0].lower() for row in rows[2:]}
    assert {path.suffix for path in (tmp_path / "demo").iterdir()} >= {".png", ".pranc"}


def test_harness_overhead(photos, capsys):
    harness_overhead.main(photos, ["jpeg:quality=50"], images=1)
    (row,) = rows_of(capsys.readouterr().out)
    assert row[1] == "1"
    assert re.fullmatch(r"[\d.]+", row[3])


@pytest.mark.parametrize("network", campaign.Network)
def test_campaign(photos, tmp_path, network):
    """It starts from the shipped network, and exports what another piece can start from."""
    options = dict(crops=1, side=32, validate_every=1, threads=1, iterations=2)
    campaign.main(network, photos, photos, tmp_path / "first", **options, learning_rate=1e-6)
    log = (tmp_path / "first" / f"{network}.log").read_text().splitlines()
    assert [line.split()[0] for line in log] == ["start", "iteration", "iteration"]
    weights = tmp_path / "exported.safetensors"
    campaign.export(campaign.network_of(network), weights)
    campaign.main(network, photos, photos, tmp_path / "second", **options, start=weights)
    again = (tmp_path / "second" / f"{network}.log").read_text().splitlines()
    first, second = ([float(n) for n in text[0].split()[3:]] for text in (log, again))
    assert second == pytest.approx(first, rel=0.01)  # rounded to half precision
