"""Image.open and Image.save."""

import io

import numpy as np
import pytest
from PIL import Image

import pranc_codec
import pranc_codec.pillow_plugin


def test_save_and_open(photo, tmp_path):
    path = tmp_path / "photo.pranc"
    photo.save(path, quality=60, effort=0, exif=b"Exif\0\0exif", icc_profile=b"icc", xmp=b"xmp")
    with Image.open(path) as opened:
        assert (opened.format, opened.size, opened.mode) == ("PRANC", photo.size, "RGB")
        assert opened.info["icc_profile"] == b"icc"
        assert opened.info["exif"] == b"Exif\0\0exif"
        assert opened.info["xmp"] == b"xmp"
        assert opened.get_format_mimetype() == "image/x-pranc"
        pixels = np.asarray(opened)
    np.testing.assert_array_equal(pixels, pranc_codec.decode_array(path.read_bytes()))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_modes(mode, photo):
    image = (
        photo.convert("L").convert("I").convert("I;16") if mode == "I;16" else photo.convert(mode)
    )
    buffer = io.BytesIO()
    image.save(buffer, format="PRANC", effort=0)
    opened = Image.open(buffer)
    assert opened.mode == mode
    opened.load()
    np.testing.assert_array_equal(
        np.asarray(opened), np.asarray(pranc_codec.decode(buffer.getvalue()))
    )


def test_save_keeps_the_images_own_metadata(photo):
    image = photo.copy()
    image.info["icc_profile"] = b"own"
    buffer = io.BytesIO()
    image.save(buffer, format="PRANC", effort=0)
    assert Image.open(buffer).info["icc_profile"] == b"own"


def test_opening_computes_no_pixels(encoded, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("decoded on open")

    monkeypatch.setattr("pranc_codec.decoder.decode", fail)
    assert Image.open(io.BytesIO(encoded)).size == (96, 64)


def test_wrong_bytes_are_pillows_errors(encoded):
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(io.BytesIO(encoded[:20]))
    damaged = bytearray(encoded)
    damaged[-1] ^= 1
    for data in (encoded[:-1], bytes(damaged)):
        opened = Image.open(io.BytesIO(data))
        with pytest.raises(OSError, match="cannot decode"):
            opened.load()


def test_decompression_bombs_are_pillows(encoded, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(encoded))


def test_wrong_options(photo):
    with pytest.raises(ValueError, match="1 .. 100"):
        photo.save(io.BytesIO(), format="PRANC", quality=200)
