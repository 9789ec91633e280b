"""Parts of the demo that need no server."""

import contextlib
import time

import numpy as np
import pytest
from PIL import Image

import pranc_codec
from pranc_codec import EncodingCancelled, InvalidArgument

pytest.importorskip("plotly")
from app import encoding, fragments, pictures, rivals
from app.pool import Pool
from pranc_codec.commands.demo import work


def test_the_largest_file_that_fits_is_found():
    sizes = [10 * quality**2 for quality in rivals.QUALITIES]
    for most in (10, 39, 40, 5000, 99_999, 100_000):
        found = rivals.largest_file(lambda quality: bytes(10 * quality**2), most)
        assert len(found) == max(size for size in sizes if size <= most)


def test_a_format_that_cannot_be_so_small_says_so(photo):
    made = rivals.rival(photo, "JPEG", 10)
    assert not made.fits
    assert made.file_bytes == len(rivals.encode(photo, "JPEG", 1))


@pytest.mark.parametrize("name", rivals.FORMATS)
def test_formats_fill_the_bytes_that_they_get(photo, name):
    made = rivals.rival(photo, name, 2500)
    assert made.fits
    assert 1700 < made.file_bytes <= 2500
    assert 25 < made.psnr_db < 45


def test_a_phones_picture_is_turned_upright_and_reduced(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by 90 degrees to see it
    array = np.zeros((1000, 2000, 3), np.uint8)
    array[:, :1000] = 255  # left half white: after turning, the upper one
    path = tmp_path / "phone.jpg"
    Image.fromarray(array).save(path, exif=exif)
    picture = pictures.open_picture(path, "768 px")
    assert picture.image.size == (384, 768)
    assert picture.pixels[10, 10].min() > 250
    assert picture.pixels[-10, 10].max() < 5
    assert picture.notes == ("reduced from 1000x2000 to 384x768",)
    assert sorted(pictures.size_of(path, "768 px")) == [384, 768]


def test_transparency_is_laid_on_white(tmp_path):
    path = tmp_path / "clear.png"
    Image.new("RGBA", (4, 3), (255, 0, 0, 0)).save(path)
    picture = pictures.open_picture(path, "as it is")
    assert picture.image.mode == "RGB"
    assert picture.pixels.min() == 255
    assert "laid on white" in picture.notes[0]


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (65535, 255), (32896, 128)])
def test_sixteen_bits_become_eight(tmp_path, value, expected):
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((3, 4), value, np.uint16)).save(path)
    assert (pictures.open_picture(path, "as it is").pixels == expected).all()


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.full((3, 4), 0.5, np.float32), "float samples"),
        (np.full((3, 4), -7, np.int32), "samples from -7 to -7"),
        (np.full((3, 4), 65536, np.int32), "samples from 65536 to 65536"),
    ],
)
def test_samples_without_a_known_range_are_refused(tmp_path, samples, words):
    path = tmp_path / "scientific.tif"
    Image.fromarray(samples).save(path)
    with pytest.raises(InvalidArgument, match=words):
        pictures.open_picture(path, "as it is")


@pytest.mark.parametrize("kind", pictures.FORMATS)
def test_formats_are_told_by_content(photo, tmp_path, kind):
    path = tmp_path / "picture.txt"
    photo.save(path, kind)
    assert pictures.open_picture(path, "as it is").image.size == photo.size


@pytest.mark.parametrize("kind", ["EPS", "ICO", "PCX", "JPEG2000"])
def test_other_formats_are_refused(photo, tmp_path, kind):
    path = tmp_path / "picture.png"
    photo.save(path, kind)
    with pytest.raises(InvalidArgument, match="not a picture that can be read: this page takes"):
        pictures.open_picture(path, "as it is")


def test_what_users_write_is_escaped():
    assert "<script>" not in fragments.message("<script>")
    assert "<script>" not in fragments.facts([("<script>", "<script>")])
    assert "<script>" not in fragments.ranking([("<script>", 1, 1.0, 30.0, True)], ["<script>"])


def test_parts_are_all_of_the_file(encoded, grid_file, rgba_file):
    for data in (encoded, grid_file, rgba_file):
        parts = fragments.parts_of(pranc_codec.analyze(data))
        assert sum(parts.values()) == pytest.approx(len(data), rel=0.03, abs=8)


@pytest.fixture(scope="module")
def pool():
    """One worker, already started."""
    with contextlib.closing(Pool(work, most=1, memory_bytes=2**31)) as started:
        started.warm()
        yield started


def fit(pool, image, options, seconds=300.0):
    return encoding.encode_live(pool, "fit", image, options, seconds=seconds)


def test_an_encoding_that_nobody_follows_stops(pool, photo):
    """Its worker is free for the next long before it would have been done."""
    live = fit(pool, photo.resize((192, 128)), {"effort": 7})
    running = (told for told in live if told.progress is not None)
    first, last = next(running), next(running)
    while last.progress.iteration == first.progress.iteration:
        last = next(running)
    live.close()
    done = last.progress.iteration - first.progress.iteration
    left = last.progress.iterations - last.progress.iteration
    left_s = left * (last.seconds - first.seconds) / done
    start = time.monotonic()
    told = list(fit(pool, photo, {"effort": 0, "quality": 20}))
    assert time.monotonic() - start < left_s
    assert told[-1].result == pranc_codec.encode(photo, effort=0, quality=20)


def test_the_server_can_stop_all_encodings(photo):
    pool = Pool(work, most=1, memory_bytes=2**31)
    live = fit(pool, photo, {"effort": 7})
    while next(live).progress is None:
        pass
    pool.close()
    with pytest.raises(EncodingCancelled):
        list(live)


def test_errors_of_an_encoding_come_through(pool, photo):
    with pytest.raises(InvalidArgument, match="contradict"):
        list(fit(pool, photo, {"bpp": 1.0, "quality": 20}))


def test_estimates_grow_with_effort_and_size():
    for profile in ("grid", "mlp"):
        seconds = [
            pranc_codec.estimate_seconds(393_216, profile=profile, effort=effort)
            for effort in range(8)
        ]
        assert seconds == sorted(seconds)
        assert 5 < seconds[4] < 50  # the README's tables: 11 to 32 s
    small, large = (
        pranc_codec.estimate_seconds(393_216, profile="mlp", bpp=bpp) for bpp in (0.1, 0.4)
    )
    assert small < large
