"""Measuring one unit of work, in a process that has done others before."""

import gc
import hashlib
import os
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
from pranc_codec.metrics import MS_SSIM_SMALLEST_SIDE, ms_ssim, psnr_db, ssim, ssimulacra2

_warm: set[str] = set()  # codecs that this process has coded a tiny image with


def load_rgb(path: Path) -> Image.Image:
    """The file's pixels as 8-bit RGB, without metadata, which some codecs would store."""
    try:
        with Image.open(path) as image:
            return Image.fromarray(np.asarray(image.convert("RGB")))
    except OSError as error:
        raise InvalidArgument(f"cannot read {path} as an image: {error}") from error


def sha256_of(image: Image.Image) -> str:
    """SHA-256 of the RGB bytes, row by row, in hex."""
    return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()


def measure(unit: Unit) -> tuple[Result, bytes]:
    """Encode, decode the very bytes, compare; returns the bytes too.

    The clock and the peak of memory cover encoder and decoder and nothing else: reading the image
    and the warm-up come before, the metrics after.
    """
    codec = unit.codec
    image = _image_of(unit)
    _warm_up(unit)
    can_tell = reset_peak()
    start = time.perf_counter()
    data = codec.encode(image, unit.settings)
    encoded = time.perf_counter()
    decoded = codec.decode(data)
    end = time.perf_counter()
    peak_memory_bytes = peak_bytes() if can_tell else None
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
        threads=_threads(),
        device=_device(unit.settings),
    )
    release()
    return result, data


def _image_of(unit: Unit) -> Image.Image:
    """The unit's image, which must be the one that the run was planned with."""
    image, sha256 = _load(unit.path)
    if sha256 != unit.image_sha256:
        raise InvalidArgument(
            f"{unit.path} holds other pixels here (SHA-256 {sha256}) than where the run was "
            f"started ({unit.image_sha256}): all machines must see the same files"
        )
    return image


@lru_cache(maxsize=1)  # the units of one image follow each other
def _load(path: Path) -> tuple[Image.Image, str]:
    image = load_rgb(path)
    return image, sha256_of(image)


def _warm_up(unit: Unit) -> None:
    """Code a tiny image once a process and codec: imports, tables and kernels are loaded."""
    codec = unit.codec
    settings = {**unit.settings, **codec.warm_up}
    if codec.warm_up and codec.parameter not in codec.warm_up:
        del settings[codec.parameter]
    others = {name: value for name, value in settings.items() if name != codec.parameter}
    known = f"{codec.name} {codec.version} {sorted(others.items())}"
    if known in _warm:
        return
    tiny = Image.radial_gradient("L").resize((32, 32)).convert("RGB")
    codec.decode(codec.encode(tiny, settings))
    if not _warm:  # the metrics' libraries count in every unit's memory, or in none's
        flat = np.zeros((MS_SSIM_SMALLEST_SIDE, MS_SSIM_SMALLEST_SIDE, 3), np.uint8)
        ssim(flat, flat)
        ms_ssim(flat, flat)
        ssimulacra2(flat, flat)
    gc.freeze()  # what is loaded now stays: no need to look for garbage in it before every unit
    _warm.add(known)


def _threads() -> int:
    """PyTorch's thread count if it is loaded, else the budget that the process was given."""
    torch = sys.modules.get("torch")
    if torch:
        return int(torch.get_num_threads())
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def _device(settings: Settings) -> str:
    """The device asked for, else whether this process has used CUDA."""
    torch = sys.modules.get("torch")
    used = "cuda" if torch and torch.cuda.is_initialized() else "cpu"
    return str(settings.get("device") or used)
