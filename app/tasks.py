"""The tasks of worker processes. Each public function with the parameter `say` is a task.

`say` sends a message to the page while the task runs. Results are bytes, numbers, HTML, plotly
figures and mappings of these, so the page's process neither opens a picture nor decodes a file.
"""

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

import pranc_codec
from pranc_codec import InvalidArgument, Limits, Metadata, Progress
from pranc_codec.evaluate import psnr_db

from . import charts, fragments
from .pictures import Picture, open_picture, rgb_pixels, size_of
from .rivals import FORMATS, Rival, rival

LIMITS: Final = Limits(max_pixels=2**24, max_weights=2**20, max_macs=2**41)
"""Limits of files: 16 megapixels, and networks that take about half a minute."""
PREVIEW_EVERY_S: Final = 1.0
WINDOW: Final = (640, 480)
"""Largest window that is rendered, in pixels."""
NO_LEVELS: Final = "An mlp file has no levels: all of it is one network."
ALPHA_LAST: Final = "Transparency follows the levels: this file shows nothing before its end."
WINDOW_WORDS: Final = {
    "mlp": "rendered by the network at {zoom:g} times its size, not resampled",
    "grid": "decoded and resampled: latents have one size; an mlp file renders at any",
}

Say = Callable[[Any], None]


def ready(say: Say) -> bool:
    """Import all modules that tasks need. After that, a worker can begin tasks at once."""
    expected_seconds(1, {"effort": 0})
    return all(callable(f) for f in (pranc_codec.encode, pranc_codec.decode, pranc_codec.analyze))


def estimate(say: Say, path: Path, side: str, wish: dict[str, Any]) -> tuple[int, int, float]:
    """Return the numbers of `size_of`, and the expected seconds."""
    width, height = size_of(path, side)
    return width, height, expected_seconds(width * height, options_of(width * height, wish))


def encode(
    say: Say, path: Path, name: str, side: str, wish: dict[str, Any], longest_s: float
) -> dict[str, Any]:
    """Encode a picture.

    The messages are the expected seconds, then the progress of the fit, then the results as they
    become known. name: name of the file. side: a key of `pictures.SIDES`. wish: profile, effort,
    rate, and what the rate is given by. longest_s: longest expected duration that is accepted.
    """
    source = open_picture(path, side)
    options = options_of(source.pixel_count, wish)
    expected_s = expected_seconds(source.pixel_count, options)
    if expected_s > longest_s:
        raise InvalidArgument(
            f"this would take about {fragments.duration(expected_s)}, and this page gives "
            f"{fragments.duration(longest_s)}: lower the effort or the longest side, or use "
            "`pranc encode`"
        )
    say({"expected_s": expected_s})
    start = time.monotonic()
    data = fit(say, source.image, options)
    result = _encoded(source, data, time.monotonic() - start, name)
    say(result)
    for format_name in FORMATS:
        say({"rival": _rival(rival(source.image, format_name, len(data)))})
    return {}


def fit(say: Say, image: Image.Image, options: dict[str, Any]) -> bytes:
    """Encode an image without its metadata. options: arguments of `pranc_codec.encode`."""
    next_preview_s = 0.0

    def report(progress: Progress) -> None:
        nonlocal next_preview_s
        numbers = {
            "iteration": progress.iteration, "iterations": progress.iterations,
            "loss": progress.loss, "bpp_estimate": progress.bpp_estimate,
            "psnr_db_estimate": progress.psnr_db_estimate,
        }  # fmt: skip
        preview = None
        if time.monotonic() >= next_preview_s:
            preview = png(np.squeeze(progress.preview()))
            next_preview_s = time.monotonic() + PREVIEW_EVERY_S
        say({"progress": numbers, "preview": preview})

    return pranc_codec.encode(image, progress=report, metadata=Metadata(), **options)


def options_of(pixels: int, wish: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `pranc_codec.encode` for a wish."""
    rate_by, rate = wish["rate_by"], wish["rate"]
    if rate is None:
        raise InvalidArgument(f"{rate_by} is empty: type a number")
    wanted = {"bpp": 8000 * rate / pixels} if rate_by == "kB" else {rate_by: rate}
    return {"profile": wish["profile"], "effort": int(wish["effort"]), **wanted}


def expected_seconds(pixels: int, options: dict[str, Any]) -> float:
    """Estimate how many seconds an encoding takes on two cores."""
    known = {name: value for name, value in options.items() if name != "psnr"}
    return pranc_codec.estimate_seconds(pixels, **known)


def _encoded(source: Picture, data: bytes, seconds: float, name: str) -> dict[str, Any]:
    """Return the first results, which need only our own file."""
    analysis = pranc_codec.analyze(data)
    decoded = rgb_pixels(pranc_codec.decode(data))
    ours = Rival(
        name="pranc", file_bytes=len(data), pixels=decoded, fits=True,
        psnr_db=psnr_db(source.pixels, decoded),
    )  # fmt: skip
    numbers = [
        ("file", f"{len(data):,} bytes"), ("bits per pixel", f"{analysis.bpp:.3f}"),
        ("PSNR", f"{ours.psnr_db:.2f} dB"), ("encoded in", f"{seconds:.1f} s"),
    ]  # fmt: skip
    return {
        "data": data, "name": name, "facts": fragments.facts(numbers), "rival": _rival(ours),
        "original": png(source.pixels), "pixels": source.pixel_count, "notes": source.notes,
        "parts": fragments.bytes_bar(analysis),
    }  # fmt: skip


def _rival(made: Rival) -> dict[str, Any]:
    return {
        "name": made.name, "bytes": made.file_bytes, "psnr_db": made.psnr_db, "fits": made.fits,
        "png": png(made.pixels),
    }  # fmt: skip


def decode(say: Say, path: Path) -> dict[str, Any]:
    """Return the picture of a file, and its header."""
    data = path.read_bytes()
    header = pranc_codec.inspect(data)
    start = time.perf_counter()
    image = pranc_codec.decode(data, limits=LIMITS)
    seconds = time.perf_counter() - start
    return {
        "png": png(rgb_pixels(image)), "size": image.size,
        "header": fragments.header_table(header, len(data), seconds),
    }  # fmt: skip


def window(say: Say, path: Path, zoom: float, across: float, down: float) -> dict[str, Any]:
    """Return a window rendered at a larger size, and the enlarged decoded pixels.

    across, down: centre of the window, as fractions of the picture's width and height.
    """
    data = path.read_bytes()
    header = pranc_codec.inspect(data)
    size = (round(header.width * zoom), round(header.height * zoom))
    region = window_at(size, across, down)
    start = time.perf_counter()
    rendered = pranc_codec.decode(data, size=size, region=region, limits=LIMITS)
    seconds = time.perf_counter() - start
    decoded = rgb_pixels(pranc_codec.decode(data, limits=LIMITS))
    left, top, right, bottom = region
    box = (left / zoom, top / zoom, right / zoom, bottom / zoom)
    shape = (right - left, bottom - top)
    enlarged = Image.fromarray(decoded).resize(shape, Image.Resampling.BICUBIC, box=box)
    text = f"{shape[0]} x {shape[1]} of {size[0]} x {size[1]} pixels in {seconds:.2f} s: "
    return {
        "bicubic": png(rgb_pixels(enlarged)), "rendered": png(rgb_pixels(rendered)),
        "words": fragments.message(text + WINDOW_WORDS[header.profile].format(zoom=zoom)),
    }  # fmt: skip


def window_at(size: tuple[int, int], across: float, down: float) -> tuple[int, int, int, int]:
    """Return the window of at most `WINDOW` pixels around a position, inside the picture."""
    corners = []
    for side, most, part in zip(size, WINDOW, (across, down), strict=True):
        length = min(side, most)
        start = min(max(0, round(part * side - length / 2)), side - length)
        corners.append((start, start + length))
    (left, right), (top, bottom) = corners
    return left, top, right, bottom


def beginning(say: Say, path: Path, levels: int) -> dict[str, Any]:
    """Return the picture of the coarsest levels, and how much of the file they take."""
    data = path.read_bytes()
    ends = pranc_codec.analyze(data, limits=LIMITS).prefix_bytes
    if not ends:
        is_mlp = pranc_codec.inspect(data).profile == "mlp"
        return {"png": None, "words": fragments.message(NO_LEVELS if is_mlp else ALPHA_LAST)}
    number = min(levels, len(ends) - 1)
    image = pranc_codec.decode(data, levels=number, limits=LIMITS)
    text = (
        f"{number} of {len(ends) - 1} levels: the first {ends[number]:,} of {len(data):,} bytes "
        f"({ends[number] / len(data):.0%})"
    )
    return {"png": png(rgb_pixels(image)), "words": fragments.message(text)}


def inside(say: Say, path: Path) -> dict[str, Any]:
    """Return the contents of a file: numbers, parts and pictures."""
    data = path.read_bytes()
    analysis = pranc_codec.analyze(data, limits=LIMITS)
    picture = rgb_pixels(pranc_codec.decode(data, limits=LIMITS))
    found: dict[str, Any] = {
        "words": fragments.inside(analysis), "parts": fragments.bytes_bar(analysis),
        "colours": analysis.header.colours, "heat": None, "histogram": None, "latents": [],
    }  # fmt: skip
    if analysis.levels:
        found["heat"] = (png(picture), png(charts.heat_map(analysis.bits_per_pixel())))
        found["latents"] = _latents(analysis, 0)
    if analysis.layers:
        found["histogram"] = charts.histogram(analysis)
    return found


def latents(say: Say, path: Path, colour: int) -> list[tuple[str, bytes, str]]:
    """Return the latents of one colour as (name of the level, PNG, caption), fine to coarse."""
    return _latents(pranc_codec.analyze(path.read_bytes(), limits=LIMITS), colour)


def _latents(analysis: pranc_codec.Analysis, colour: int) -> list[tuple[str, bytes, str]]:
    return [
        (
            level.name,
            png(charts.latents_picture(level)),
            f"{level.name}: {level.bits / 8:,.0f} bytes",
        )
        for level in reversed(analysis.levels)
        if level.colour == colour
    ]


def png(pixels: np.ndarray) -> bytes:
    """Return a picture as the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
