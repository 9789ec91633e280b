"""Measure one unit, in a process that may have measured others before."""

import gc
import hashlib
import sys
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.codecs.codec import Settings
from pranc_codec.evaluate.harness.memory import peak_bytes, release, reset_peak
from pranc_codec.evaluate.harness.store import Result, Unit
from pranc_codec.evaluate.threads import thread_budget
from pranc_codec.metrics import MS_SSIM_SMALLEST_SIDE, ms_ssim, psnr_db, ssim, ssimulacra2

_warmed_up: set[str] = set()
"""Codecs, with version and settings, that this process has already encoded a tiny image with."""


def load_rgb(path: Path) -> Image.Image:
    """Read an image file as 8-bit RGB, without its metadata, which some codecs would store.

    Raises InvalidArgument if Pillow cannot read the file.
    """
    try:
        with Image.open(path) as image:
            return Image.fromarray(np.asarray(image.convert("RGB")))
    except OSError as error:
        raise InvalidArgument(f"cannot read {path} as an image: {error}") from error


def pixels_sha256(image: Image.Image) -> str:
    """Return the SHA-256 of the RGB bytes, row by row, in hex."""
    return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()


def measure(unit: Unit) -> tuple[Result, bytes]:
    """Encode the unit's image, decode the bytes, and compare; return the result and the bytes.

    Times and peak memory cover only the encoder and the decoder: reading the image and warming up
    the codec come before, and metrics are computed after.

    Raises InvalidArgument if the image differs from the one that the run was planned with.
    """
    codec = unit.codec
    image = _image_of(unit)
    _warm_up(unit)
    peak_is_known = reset_peak()
    start = time.perf_counter()
    data = codec.encode(image, unit.settings)
    encoded = time.perf_counter()
    decoded = codec.decode(data)
    end = time.perf_counter()
    peak_memory_bytes = peak_bytes() if peak_is_known else None
    pixels = np.asarray(image)
    result = Result(
        image=unit.path.stem,
        **unit.key(),
        parameter=codec.parameter,
        file_bytes=len(data),
        bpp=8 * len(data) / (unit.width * unit.height),
        psnr_db=psnr_db(pixels, decoded),
        ssim=ssim(pixels, decoded),
        ms_ssim=ms_ssim(pixels, decoded),
        ssimulacra2=ssimulacra2(pixels, decoded),
        encode_s=encoded - start,
        decode_s=end - encoded,
        peak_memory_bytes=peak_memory_bytes,
        threads=_threads_in_use(),
        device=_device(unit.settings),
    )
    release()
    return result, data


def _image_of(unit: Unit) -> Image.Image:
    """Read the unit's image and check that the run was planned with the same pixels."""
    image, sha256 = _load(unit.path)
    if sha256 != unit.image_sha256:
        raise InvalidArgument(
            f"{unit.path} holds other pixels here (SHA-256 {sha256}) than where the run was "
            f"started ({unit.image_sha256}): all machines must see the same files"
        )
    return image


@lru_cache(maxsize=1)  # consecutive units have the same image
def _load(path: Path) -> tuple[Image.Image, str]:
    image = load_rgb(path)
    return image, pixels_sha256(image)


def _warm_up(unit: Unit) -> None:
    """Encode and decode a tiny image once per process and codec, to load imports and tables."""
    codec = unit.codec
    settings = {**unit.settings, **codec.warm_up}
    if codec.warm_up and codec.parameter not in codec.warm_up:
        del settings[codec.parameter]
    others = {name: value for name, value in settings.items() if name != codec.parameter}
    known = f"{codec.name} {codec.version} {sorted(others.items())}"
    if known in _warmed_up:
        return
    tiny = Image.radial_gradient("L").resize((32, 32)).convert("RGB")
    codec.decode(codec.encode(tiny, settings))
    if not _warmed_up:  # load the metrics' libraries too, so that they count in every unit's memory
        flat = np.zeros((MS_SSIM_SMALLEST_SIDE, MS_SSIM_SMALLEST_SIDE, 3), np.uint8)
        ssim(flat, flat)
        ms_ssim(flat, flat)
        ssimulacra2(flat, flat)
    gc.freeze()  # modules stay loaded, so the collector can skip them before every unit
    _warmed_up.add(known)


def _threads_in_use() -> int:
    """Return PyTorch's thread count if it is loaded, else this process's budget."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch else thread_budget()


def _device(settings: Settings) -> str:
    """Return the device in the settings; without one, "cuda" if this process has used CUDA."""
    torch = sys.modules.get("torch")
    used = "cuda" if torch and torch.cuda.is_initialized() else "cpu"
    return str(settings.get("device") or used)
