"""Importing this module makes Pillow read and write .pranc files.

>>> import pranc_codec.pillow_plugin
>>> from PIL import Image
>>> Image.open("photo.png").save("photo.pranc", quality=50)
>>> Image.open("photo.pranc").show()

`save` takes these arguments of `encode`: profile, quality, lmbda, bpp, psnr, effort, seed, device
and progress. Like Pillow's other formats it also takes icc_profile, exif and xmp. `open` reads the
header and the metadata; `load` computes the pixels, on `DEVICE`. Files with more pixels than twice
Pillow's `MAX_IMAGE_PIXELS` raise Pillow's DecompressionBombError.
"""

from typing import Any, Final

from PIL import Image, ImageFile

from pranc_codec import decoder
from pranc_codec.encoder.encode import encode
from pranc_codec.errors import BitstreamError, LimitExceeded
from pranc_codec.format import bitstream
from pranc_codec.format.metadata import Metadata, read_metadata
from pranc_codec.format.sections import unpack_sections
from pranc_codec.image import load_picture, metadata_info
from pranc_codec.limits import DEFAULT_LIMITS, Limits

DEVICE: str | None = None
"""Device that computes the pixels. None selects a GPU if there is one."""

ENCODE_OPTIONS: Final = (
    "profile",
    "quality",
    "lmbda",
    "bpp",
    "psnr",
    "effort",
    "seed",
    "device",
    "progress",
)


def limits() -> Limits:
    """Return the default limits, but with Pillow's on pixels: twice MAX_IMAGE_PIXELS."""
    allowed = Image.MAX_IMAGE_PIXELS
    return DEFAULT_LIMITS if allowed is None else Limits(max_pixels=2 * allowed)


def accept(prefix: bytes) -> bool:
    """Return whether a file that starts with these bytes is of this format."""
    return prefix.startswith(bitstream.SIGNATURE)


class PrancImageFile(ImageFile.ImageFile):
    """A .pranc file as Pillow opens it."""

    format = "PRANC"
    format_description = "PRANC image"

    def _open(self) -> None:
        assert self.fp is not None
        data = self.fp.read()
        try:
            header = bitstream.unpack_header(data)
        except BitstreamError as error:
            raise SyntaxError(str(error)) from error
        deep_grey = header.mode == "L" and header.samples == "uint16"
        self._mode = "I;16" if deep_grey else header.mode
        self._size = (header.width, header.height)
        try:
            sections = unpack_sections(data, header)
            self.info.update(metadata_info(read_metadata(sections, limits())))
        except BitstreamError:
            pass  # `load` finds the same error and raises it
        self.tile = [ImageFile._Tile("pranc", (0, 0, *self.size), 0, (0,))]
        self._most_halvings = decoder.profile_of(header).most_halvings(header)

    def draft(
        self, mode: str | None, size: tuple[int, int] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Choose a reduced size to decode at; Pillow calls this for `thumbnail`.

        The size is halved as long as it does not become smaller than `size`.
        """
        if size is None or not self.tile or self.tile[0].args != (0,):
            return None
        width, height = self.size
        ratio = max(1, min(width // size[0], height // size[1]))
        reduce = min(self._most_halvings, ratio.bit_length() - 1)
        self._size = (-(-width >> reduce), -(-height >> reduce))
        self.tile = [ImageFile._Tile("pranc", (0, 0, *self.size), 0, (reduce,))]
        return self.mode, (0, 0, width / 2**reduce, height / 2**reduce)


class PrancDecoder(ImageFile.PyDecoder):
    """Computes the pixels when Pillow loads an image."""

    _pulls_fd = True

    def decode(self, buffer: Any) -> tuple[int, int]:
        """Compute the pixels; Pillow calls this for `load`. `buffer` is not used."""
        assert self.fd is not None
        self.fd.seek(0)
        try:
            data, (reduce,) = self.fd.read(), self.args
            image = decoder.decode(data, device=DEVICE, reduce=reduce, limits=limits())
        except LimitExceeded as error:
            raise Image.DecompressionBombError(str(error)) from error
        except BitstreamError as error:
            raise OSError(f"cannot decode this .pranc file: {error}") from error
        self.set_as_raw(image.tobytes())
        return -1, 0


def save(image: Image.Image, fp: Any, filename: str | bytes) -> None:
    """Write `image` to the open file `fp`; Pillow calls this for `Image.save`."""
    info: dict[str, Any] = getattr(image, "encoderinfo", {})
    own = load_picture(image).metadata
    metadata = Metadata(
        icc_profile=info.get("icc_profile", own.icc_profile),
        exif=_exif_bytes(info.get("exif", own.exif)),
        xmp=info.get("xmp", own.xmp),
    )
    options = {name: info[name] for name in ENCODE_OPTIONS if name in info}
    fp.write(encode(image, metadata=metadata, **options))


def _exif_bytes(exif: Image.Exif | bytes | None) -> bytes | None:
    return exif.tobytes() if isinstance(exif, Image.Exif) else exif


Image.register_open(PrancImageFile.format, PrancImageFile, accept)
Image.register_decoder("pranc", PrancDecoder)
Image.register_save(PrancImageFile.format, save)
Image.register_extension(PrancImageFile.format, ".pranc")
Image.register_mime(PrancImageFile.format, "image/x-pranc")
