"""The analysis of a grid file accounts for its bits."""

import pytest
from PIL import Image

import pranc_codec


def test_file_is_as_long_as_its_model_says(grid_file):
    analysis = pranc_codec.analyze(grid_file)
    assert analysis.layers == ()
    ideal_bytes = sum(level.bits for level in analysis.levels) / 8
    assert len(grid_file) <= 1.01 * ideal_bytes + 80
    assert sum(analysis.part_bytes.values()) == len(grid_file)
    overhead = len(grid_file) - analysis.part_bytes["latents"]
    assert overhead <= 64


@pytest.mark.parametrize("size", [(96, 64), (37, 21), (1, 1)])
def test_the_map_of_bits_holds_all_of_them(photo, size):
    analysis = pranc_codec.analyze(pranc_codec.encode(photo.resize(size), quality=40, effort=0))
    bits = analysis.bits_per_pixel()
    assert bits.shape == size[::-1]
    assert bits.sum() == pytest.approx(sum(level.bits for level in analysis.levels))
    assert bits.min() >= 0


def test_bits_are_where_the_detail_is(photo):
    half = Image.new("RGB", (96, 64), "grey")
    half.paste(photo.crop((0, 0, 48, 64)), (0, 0))
    bits = pranc_codec.analyze(pranc_codec.encode(half, quality=50, effort=0)).bits_per_pixel()
    assert bits[:, :48].sum() > 20 * bits[:, 60:].sum()
