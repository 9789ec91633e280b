"""encode and decode, end to end on small images."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import pranc_codec


def gradient(height: int, width: int, channels: int, dtype: str = "uint8") -> np.ndarray:
    """A smooth test image."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [np.sin(x / 9 + c) * np.cos(y / 7 - c) / 2 + 0.5 for c in range(channels)]
    image = np.stack(planes, axis=-1)
    if dtype != "float32":
        image = np.rint(image * np.iinfo(dtype).max)
    return (image[:, :, 0] if channels == 1 else image).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("profile", ["grid", "mlp"])
def test_modes_and_samples_are_kept(channels, dtype, profile):
    image = gradient(20, 30, channels, dtype)
    if dtype == "float32" and channels in (2, 4):
        with pytest.raises(pranc_codec.InvalidArgument, match="alpha"):
            pranc_codec.encode(image, effort=0)
        return
    data = pranc_codec.encode(image, profile=profile, quality=100, effort=0)
    back = pranc_codec.decode_array(data)
    assert back.shape == image.shape
    assert back.dtype == image.dtype
    scale = 1 if dtype == "float32" else np.iinfo(dtype).max
    error = np.abs(back / scale - image / scale)
    assert (error if channels in (1, 3) else error[..., :-1]).mean() < 0.15  # a constant has 0.25
    if channels in (2, 4):
        np.testing.assert_array_equal(back[..., -1], image[..., -1])
    pil = pranc_codec.decode(data)
    assert pil.mode == (
        "I;16" if (channels, dtype) == (1, "uint16") else ["L", "LA", "RGB", "RGBA"][channels - 1]
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 2), (17, 31)])
@pytest.mark.parametrize("profile", ["grid", "mlp"])
def test_any_size(size, profile):
    image = gradient(size[1], size[0], 3)
    data = pranc_codec.encode(image, profile=profile, quality=50, effort=0)
    back = pranc_codec.decode_array(data)
    assert back.shape == image.shape


@pytest.mark.parametrize(
    "mode", ["1", "P", "L", "LA", "La", "RGBa", "PA", "CMYK", "YCbCr", "HSV", "LAB", "I;16", "I"]
)
def test_pil_modes(mode):
    base = Image.fromarray(gradient(12, 10, 3))
    if mode == "PA":
        image = base.convert("RGBA").quantize().convert("PA")
    elif mode in ("La", "RGBa"):
        image = base.convert(mode.upper()).convert(mode)
    elif mode in ("I;16", "I"):
        image = base.convert("L").convert("I").convert(mode)
    elif mode == "LAB":
        image = Image.new("LAB", (10, 12))
    else:
        image = base.convert(mode)
    expected = {
        "1": "L", "L": "L", "LA": "LA", "La": "LA", "RGBa": "RGBA", "PA": "RGBA",
        "I;16": "I;16", "I": "I;16",
    }  # fmt: skip
    decoded = pranc_codec.decode(pranc_codec.encode(image, effort=0))
    assert decoded.mode == expected.get(mode, "RGB")
    assert decoded.size == (10, 12)


def test_transparent_palette_keeps_its_alpha():
    image = Image.fromarray(gradient(12, 10, 3)).quantize()
    image.info["transparency"] = 0
    decoded = pranc_codec.decode(pranc_codec.encode(image, effort=0))
    assert decoded.mode == "RGBA"
    np.testing.assert_array_equal(
        np.asarray(decoded)[..., 3], np.asarray(image.convert("RGBA"))[..., 3]
    )


def test_alpha_differences_do_not_wrap():
    image = np.random.default_rng(0).integers(0, 65536, (9, 7, 4), dtype=np.uint16)
    back = pranc_codec.decode_array(pranc_codec.encode(image, effort=0))
    np.testing.assert_array_equal(back[..., 3], image[..., 3])


@pytest.mark.parametrize("bpp", [0.6, 1.5, 4.0])
@pytest.mark.parametrize("profile", ["grid", "mlp"])
def test_target_bpp_is_met_on_the_real_file(photo, bpp, profile):
    data = pranc_codec.encode(photo, profile=profile, bpp=bpp, effort=0)
    assert abs(8 * len(data) / (96 * 64) / bpp - 1) <= 0.02


@pytest.mark.parametrize("profile", ["grid", "mlp"])
def test_quality_and_lmbda_order_the_rates(photo, profile):
    small = photo.resize((48, 32))

    def size(**target):
        return len(pranc_codec.encode(small, profile=profile, effort=0, **target))

    by_quality = [size(quality=q) for q in (20, 60, 95)]
    assert by_quality == sorted(by_quality)
    by_lmbda = [size(lmbda=v) for v in (1e-2, 1e-3, 1e-4)]
    assert by_lmbda == sorted(by_lmbda)


def test_alpha_follows_size_and_region(rgba_file):
    big = pranc_codec.decode_array(rgba_file, size=(14, 18), region=(2, 3, 9, 12))
    assert big.shape == (9, 7, 4)


@pytest.mark.parametrize("region", [(0, 0, 97, 10), (5, 5, 5, 6), (-1, 0, 5, 5), (0, 10, 5, 5)])
def test_wrong_regions(encoded, region):
    with pytest.raises(pranc_codec.InvalidArgument, match="window of a 96x64"):
        pranc_codec.decode(encoded, region=region)


def test_wrong_sizes(encoded):
    with pytest.raises(pranc_codec.InvalidArgument):
        pranc_codec.decode(encoded, size=(0, 5))
    with pytest.raises(pranc_codec.LimitExceeded, match="pixels"):
        pranc_codec.decode(encoded, size=(100_000, 100_000))


def test_metadata_travels_byte_for_byte(rgba_file):
    info = pranc_codec.decode(rgba_file).info
    assert info == {"icc_profile": b"profile", "exif": b"Exif\0\0", "xmp": b"<x/>"}


def test_inspect_needs_the_header_only(encoded):
    header = pranc_codec.inspect(encoded[:60])
    assert (header.width, header.height, header.mode) == (96, 64, "RGB")
    assert header.parameters.basis == "hash"


def test_analyze_accounts_for_every_byte(encoded, rgba_file):
    for data in (encoded, rgba_file):
        analysis = pranc_codec.analyze(data)
        assert sum(analysis.part_bytes.values()) == analysis.file_bytes == len(data)
        coefficients = sum(layer.coefficients for layer in analysis.layers)
        assert coefficients == analysis.header.parameters.k
        ideal_bytes = sum(layer.bits for layer in analysis.layers) / 8
        assert analysis.part_bytes["symbols"] <= 1.01 * ideal_bytes + 8


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (dict(quality=0), "quality"),
        (dict(quality=101), "1 .. 100"),
        (dict(bpp=-1), "positive"),
        (dict(psnr=float("nan")), "positive"),
        (dict(bpp=1, quality=5), "contradict"),
        (dict(effort=8), "0 .. 7"),
        (dict(effort="slow"), "fast, default, max"),
        (dict(profile="tree"), "use grid or mlp"),
        (dict(seed=-1), "seed"),
    ],
)
def test_wrong_arguments(photo, arguments, text):
    with pytest.raises(pranc_codec.InvalidArgument, match=text):
        pranc_codec.encode(photo, **arguments)


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (np.zeros((4, 4, 5), np.uint8), "is not an image"),
        (np.zeros((0, 4, 3), np.uint8), "is not an image"),
        (np.zeros(4, np.uint8), "is not an image"),
        (np.zeros((4, 4), np.int32), "int32"),
        (np.full((4, 4), 2.0), "scale them to 0 .. 1"),
        (np.full((4, 4), np.nan), "scale them to 0 .. 1"),
        ("no-such-file.png", "no such file"),
        (__file__, "not an image"),
        (Image.new("F", (3, 3)), "float NumPy array"),
        (Image.fromarray(np.full((3, 3), -5, np.int32)), "0 .. 65535"),
    ],
)
def test_wrong_images(image, text):
    with pytest.raises(pranc_codec.InvalidArgument, match=text):
        pranc_codec.encode(image)


def test_one_and_two_threads_decode_alike(encoded):
    before = torch.get_num_threads()
    try:
        arrays = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            arrays.append(pranc_codec.decode_array(encoded).astype(int))
    finally:
        torch.set_num_threads(before)
    assert np.abs(arrays[0] - arrays[1]).max() <= 1


def test_the_callers_torch_settings_do_not_matter(photo, encoded):
    expected = pranc_codec.decode_array(encoded)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
            np.testing.assert_array_equal(pranc_codec.decode_array(encoded), expected)
            assert pranc_codec.encode(photo, profile="mlp", bpp=1.0, effort=0) == encoded
    finally:
        torch.set_default_dtype(torch.float32)


def test_exif_of_a_jpeg_travels_byte_for_byte(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: neither applied nor removed
    photo.save(tmp_path / "photo.jpg", exif=exif)
    with Image.open(tmp_path / "photo.jpg") as opened:
        stored = opened.info["exif"]
    decoded = pranc_codec.decode(pranc_codec.encode(tmp_path / "photo.jpg", effort=0))
    assert decoded.info["exif"] == stored
    assert decoded.size == photo.size


@pytest.mark.parametrize("device", ["nope", "meta"])
def test_wrong_device(encoded, device):
    with pytest.raises(pranc_codec.InvalidArgument, match="cannot be used"):
        pranc_codec.decode(encoded, device=device)


def test_wrong_types_are_told():
    """In a process of its own: here types are checked before."""
    script = """
import pranc_codec as p
calls = {
    "read_bytes": [lambda r=r: r("photo.pranc") for r in (p.decode, p.inspect, p.analyze)],
    "integers 0 .. 7": [lambda: p.encode(b.image, effort=2.5)],
    "exif is a str": [lambda: p.encode(b.image, metadata=p.Metadata(exif="text"))],
    "cannot be used": [lambda: p.encode(b.image, effort=0, device=3.5)],
}
for text, functions in calls.items():
    for function in functions:
        try:
            function()
        except p.InvalidArgument as error:
            assert text in str(error), error
        else:
            raise AssertionError(text)
"""
    image = "import numpy\nclass b: image = numpy.zeros((2, 2), numpy.uint8)\n"
    done = subprocess.run(
        [sys.executable, "-c", image + script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_unknown_profiles_take_no_time():
    with pytest.raises(pranc_codec.InvalidArgument, match="grid or mlp"):
        pranc_codec.estimate_seconds(1000, profile="tree")
