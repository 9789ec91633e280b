"""Reduced and softer pictures, and files of which only the beginning is there."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as photographs

import pranc_codec
import pranc_codec.pillow_plugin
from pranc_codec.grid import wavelet
from pranc_codec.grid.opponent import to_opponent, to_rgb
from pranc_codec.metrics import psnr_db


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(photographs.astronaut()).resize((203, 150))


@pytest.fixture(scope="module")
def grid_file(photo) -> bytes:
    return pranc_codec.encode(photo, quality=35, effort=0)


@pytest.fixture(scope="module")
def prefix_bytes(grid_file) -> tuple[int, ...]:
    return pranc_codec.analyze(grid_file).prefix_bytes


def test_prefixes_grow_to_the_file(grid_file, prefix_bytes):
    assert len(prefix_bytes) == wavelet.levels_of(150, 203) + 1
    assert list(prefix_bytes) == sorted(prefix_bytes)
    assert len(grid_file) - 8 <= prefix_bytes[-1] <= len(grid_file)


@pytest.mark.parametrize("reduce", [1, 2, 3, 5])
def test_a_prefix_shows_what_the_file_shows(grid_file, prefix_bytes, reduce):
    levels = len(prefix_bytes) - 1 - reduce
    prefix = grid_file[: prefix_bytes[levels]]
    for view in (dict(reduce=reduce), dict(levels=levels), dict(levels=levels, reduce=1)):
        np.testing.assert_array_equal(
            pranc_codec.decode_array(prefix, **view), pranc_codec.decode_array(grid_file, **view)
        )


def test_shorter_prefixes_are_truncated(grid_file, prefix_bytes):
    """Down to the first byte; only the words that a decoder reads ahead may be missing."""
    for levels, enough in enumerate(prefix_bytes[:-1]):
        for length in {enough - 12, enough // 2, *range(0, 60, 7)}:
            with pytest.raises(pranc_codec.TruncatedBitstream):
                pranc_codec.decode(grid_file[:length], levels=levels)
    with pytest.raises(pranc_codec.TruncatedBitstream, match="enough for 3 levels at most"):
        pranc_codec.decode(grid_file[: prefix_bytes[3]], levels=4)


def test_only_levels_and_reduce_accept_a_prefix(grid_file):
    for view in ({}, dict(size=(20, 20)), dict(region=(0, 0, 9, 9))):
        with pytest.raises(pranc_codec.TruncatedBitstream):
            pranc_codec.decode(grid_file[:-1], **view)


def test_a_damaged_whole_file_is_refused_in_every_view(grid_file):
    damaged = bytearray(grid_file)
    damaged[-5] ^= 1
    with pytest.raises(pranc_codec.CorruptBitstream, match="checksum"):
        pranc_codec.decode(bytes(damaged), reduce=1)


@pytest.mark.parametrize("size", [(203, 150), (64, 1), (1, 40), (33, 7)])
def test_a_reduced_picture_is_the_low_band(photo, size):
    """Of a nearly lossless file: the approximation of the wavelet, in the scale of the image."""
    image = np.array(photo.resize(size))
    data = pranc_codec.encode(image, quality=100, effort=0)
    opponent = to_opponent(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 - 0.5)
    pyramid = wavelet.analyze(opponent)
    height, width = size[::-1]
    for reduce in (1, 2):
        part = wavelet.Pyramid(
            approximation=pyramid.approximation, bands=pyramid.bands[: len(pyramid.bands) - reduce]
        )
        approximation = wavelet.synthesize(part, *wavelet.halved(height, width, reduce))
        rgb = to_rgb(approximation / wavelet.approximation_gain(height, width, reduce))[0] + 0.5
        expected = (255 * rgb.clamp(0, 1)).round().permute(1, 2, 0).numpy()
        shown = pranc_codec.decode_array(data, reduce=reduce)
        assert shown.shape == expected.shape
        assert psnr_db(expected.astype(np.uint8), shown) > 50


def test_fewer_levels_are_softer(photo, grid_file, prefix_bytes):
    quality = [
        psnr_db(np.asarray(photo), pranc_codec.decode_array(grid_file, levels=levels))
        for levels in range(len(prefix_bytes))
    ]
    assert quality == sorted(quality)
    assert quality[0] < 15 < 30 < quality[-1]
    np.testing.assert_array_equal(
        pranc_codec.decode_array(grid_file, levels=99), pranc_codec.decode_array(grid_file)
    )


def test_windows_and_sizes_of_reduced_pictures(grid_file):
    whole = pranc_codec.decode_array(grid_file, reduce=1)
    part = pranc_codec.decode_array(grid_file, reduce=1, region=(11, 20, 60, 71))
    assert np.abs(part.astype(int) - whole[20:71, 11:60]).max() <= 1
    assert pranc_codec.decode(grid_file, reduce=1, size=(50, 40)).size == (50, 40)


def test_alpha_of_views(photo):
    rgba = photo.convert("RGBA")
    rgba.putalpha(Image.linear_gradient("L").resize(photo.size))
    data = pranc_codec.encode(rgba, quality=30, effort=0)
    reduced = pranc_codec.decode(data, reduce=2)
    assert reduced.mode == "RGBA"
    assert reduced.size == (51, 38)
    assert pranc_codec.analyze(data).prefix_bytes == ()
    with pytest.raises(pranc_codec.TruncatedBitstream, match="before its alpha"):
        pranc_codec.decode(data[:-1], levels=2)


def test_more_of_a_file_never_shows_less(photo):
    """What follows the latents may be cut anywhere."""
    metadata = pranc_codec.Metadata(icc_profile=bytes(range(40)))
    data = pranc_codec.encode(photo, quality=20, effort=0, metadata=metadata)
    ends = pranc_codec.analyze(data).prefix_bytes
    whole = pranc_codec.decode_array(data)
    for length in (ends[-1], ends[-1] + 1, ends[-1] + 20, len(data) - 1, len(data)):
        shown = pranc_codec.decode_array(data[:length], levels=len(ends) - 1)
        np.testing.assert_array_equal(shown, whole)


def test_mlp_files_are_rendered_smaller(photo):
    data = pranc_codec.encode(photo.resize((40, 30)), profile="mlp", bpp=1.0, effort=0)
    assert pranc_codec.decode(data, reduce=2).size == (10, 8)
    with pytest.raises(pranc_codec.InvalidArgument, match="of the grid profile"):
        pranc_codec.decode(data, levels=1)
    assert pranc_codec.analyze(data).prefix_bytes == ()


@pytest.mark.parametrize("view", [dict(reduce=-1), dict(levels=-1), dict(reduce=7)])
def test_impossible_views_are_refused(grid_file, view):
    with pytest.raises(pranc_codec.InvalidArgument, match="reduce"):
        pranc_codec.decode(grid_file, **view)


def test_pillow_makes_thumbnails_of_reduced_pictures(grid_file):
    with Image.open(io.BytesIO(grid_file)) as image:
        image.draft(None, (60, 60))
        assert image.size == (102, 75)
        np.testing.assert_array_equal(
            np.asarray(image), pranc_codec.decode_array(grid_file, reduce=1)
        )
    with Image.open(io.BytesIO(grid_file)) as image:
        image.thumbnail((40, 40))
        assert image.size == (40, 30)
