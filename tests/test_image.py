"""What comes in and goes out beside the colours' values: metadata of every kind of file."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from typer.testing import CliRunner

import pranc_codec
from pranc_codec.commands.cli import app
from pranc_codec.errors import InvalidArgument
from pranc_codec.image import load_picture

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def test_metadata_behind_a_pngs_pixels_is_kept(photo, tmp_path):
    """EXIF and XMP may follow the image data."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    photo.save(file, "PNG", pnginfo=info, exif=exif)
    path = tmp_path / "late.png"
    path.write_bytes(with_metadata_last(file.getvalue()))
    found = load_picture(path).metadata
    assert found.xmp == XMP
    assert found.exif
    assert found == load_picture(io_image(file.getvalue())).metadata


def io_image(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def with_metadata_last(png: bytes) -> bytes:
    """The same chunks, eXIf and iTXt before IEND."""
    chunks, position = [], 8
    while position < len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        chunks.append(png[position : position + 12 + length])
        position += 12 + length
    late = [c for c in chunks if c[4:8] in (b"eXIf", b"iTXt")]
    early = [c for c in chunks if c not in late]
    assert len(late) == 2
    return b"".join([png[:8], *early[:-1], *late, early[-1]])


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp", "jpg"])
def test_decoding_keeps_xmp_and_exif_in_every_format(photo, tmp_path, suffix):
    exif = Image.Exif()
    exif[0x010E] = "a description"
    metadata = pranc_codec.Metadata(xmp=XMP, exif=exif.tobytes())
    (tmp_path / "a.pranc").write_bytes(
        pranc_codec.encode(photo, effort=0, quality=10, metadata=metadata)
    )
    result = CliRunner().invoke(app, ["decode", str(tmp_path / "a.pranc"), "--suffix", suffix])
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / f"a.{suffix}") as decoded:
        decoded.load()
        assert decoded.getexif()[0x010E] == "a description"
        found = decoded.info.get("xmp") or decoded.getexif().get(700)
        assert (found.encode() if isinstance(found, str) else found) == XMP


def test_profiles_of_other_channels_are_dropped():
    """A CMYK picture is coded as RGB, which its profile does not describe."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    cmyk = srgb[:16] + b"CMYK" + srgb[20:]
    for mode, profile, kept in (("CMYK", cmyk, None), ("P", srgb, srgb), ("RGB", cmyk, cmyk)):
        image = Image.new(mode, (3, 2))
        image.info["icc_profile"] = profile
        assert load_picture(image).metadata.icc_profile == kept


def test_lost_bits_of_16_bit_colour_are_told(tmp_path):
    path = tmp_path / "deep.png"
    path.write_bytes(png_of(np.arange(2 * 3 * 3, dtype=">u2").reshape(2, 3, 3) * 1000))
    with pytest.warns(UserWarning, match="uint16 array"):
        assert load_picture(path).samples == "uint8"
    Image.fromarray(np.full((2, 3), 40000, np.uint16)).save(tmp_path / "grey.png")
    assert load_picture(tmp_path / "grey.png").samples == "uint16"


def png_of(samples: np.ndarray) -> bytes:
    """16-bit RGB, which Pillow does not write."""
    height, width, _ = samples.shape
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_metadata_that_decoders_refuse_is_refused(photo):
    metadata = pranc_codec.Metadata(xmp=bytes(pranc_codec.Limits().max_metadata_bytes + 1))
    with pytest.raises(pranc_codec.InvalidArgument, match="xmp has"):
        pranc_codec.encode(photo, effort=0, metadata=metadata)


def test_no_format_starts_a_program(tmp_path, monkeypatch):
    """Also under the name of another format; Pillow would start Ghostscript, `gs`."""
    started = tmp_path / "started"
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {started}\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    text = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    path = tmp_path / "photo.png"
    path.write_text(text)
    with pytest.raises(InvalidArgument, match="EPS file is drawn by another program"):
        load_picture(path)
    assert not started.exists()
    with Image.open(path) as opened, contextlib.suppress(OSError):
        opened.load()
    assert started.exists()  # else this test shows nothing
