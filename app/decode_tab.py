"""The Decode tab: a file in; its picture, whole, at any size, in any window."""

import time
from collections.abc import Iterator
from typing import Any, Final

import gradio as gr
from PIL import Image

import pranc_codec

from . import beginning, fragments
from .errors import told
from .files import LIMITS, outgoing, read_upload
from .pictures import rgb_pixels

WINDOW: Final = (640, 480)
"""Largest window that is rendered, in pixels."""
WORDS: Final = {
    "mlp": "rendered by the network at {zoom:g} times its size, not resampled",
    "grid": "decoded and resampled: latents have one size; an mlp file renders at any",
}


def build() -> gr.File:
    """Lay out the tab and wire it; returns the component that takes a file."""
    with gr.Row():
        with gr.Column(scale=4, min_width=320):
            file = gr.File(
                label="A .pranc file", type="filepath", height=140, elem_id="decode-file"
            )
            header = gr.HTML(fragments.message("Its header appears here."), elem_id="header")
        with gr.Column(scale=7, min_width=320):
            picture = gr.Image(
                label="Decoded (click to choose a window)", format="png", interactive=False,
                height=420, buttons=["download", "fullscreen"], elem_id="decoded",
            )  # fmt: skip
            with gr.Group():
                zoom = gr.Slider(1, 16, 4, step=1, label="Zoom", elem_id="zoom")
                with gr.Row():
                    across = gr.Slider(0, 100, 50, step=1, label="Window, % from the left")
                    down = gr.Slider(0, 100, 50, step=1, label="Window, % from the top")
            render = gr.Button("Render the window", elem_id="render")
            window = gr.ImageSlider(
                label="Left: bicubic from the decoded pixels. Right: from the file", format="png",
                interactive=False, max_height=480, elem_id="window",
            )  # fmt: skip
            words = gr.HTML(elem_id="window-words")
            bounded: dict[str, Any] = dict(concurrency_limit=1, concurrency_id="decode")
            beginning.build(file, bounded)
    here: list[Any] = [file, zoom, across, down]
    file.change(_decode, file, [picture, header, window, words], api_name="decode", **bounded)
    render.click(_render, here, [window, words], api_name="window", **bounded)
    for slider in (zoom, across, down):
        slider.release(_render, here, [window, words], api_visibility="private", **bounded)
    picture.select(_place, picture, [across, down], api_visibility="private").then(
        _render, here, [window, words], api_visibility="private", **bounded
    )
    return file


def _decode(path: str | None) -> Iterator[tuple[Any, ...]]:
    """The picture of a file, and its header."""
    yield None, "", None, ""
    if path is None:
        return
    with told():
        data = read_upload(path)
        header = pranc_codec.inspect(data)
        start = time.perf_counter()
        image = pranc_codec.decode(data, limits=LIMITS)
        seconds = time.perf_counter() - start
    with outgoing() as files:
        picture = files.write_png(rgb_pixels(image), "decoded")
        yield picture, fragments.header_table(header, len(data), seconds), None, ""


def _place(image: Any, event: gr.SelectData) -> tuple[int, int]:
    """Where the picture was clicked, in percent."""
    x, y = event.index
    return round(100 * x / image.shape[1]), round(100 * y / image.shape[0])


def _render(
    path: str | None, zoom: float, across: float, down: float
) -> Iterator[tuple[tuple[str, str], str]]:
    """A window at a larger size, beside the decoded pixels enlarged."""
    with told():
        data = read_upload(path)
        header = pranc_codec.inspect(data)
        size = (round(header.width * zoom), round(header.height * zoom))
        region = _window(size, across / 100, down / 100)
        start = time.perf_counter()
        rendered = pranc_codec.decode(data, size=size, region=region, limits=LIMITS)
        seconds = time.perf_counter() - start
        decoded = rgb_pixels(pranc_codec.decode(data, limits=LIMITS))
    left, top, right, bottom = region
    box = (left / zoom, top / zoom, right / zoom, bottom / zoom)
    shape = (right - left, bottom - top)
    enlarged = Image.fromarray(decoded).resize(shape, Image.Resampling.BICUBIC, box=box)
    text = f"{shape[0]} x {shape[1]} of {size[0]} x {size[1]} pixels in {seconds:.2f} s: "
    words = fragments.message(text + WORDS[header.profile].format(zoom=zoom))
    with outgoing() as files:
        left_side = files.write_png(rgb_pixels(enlarged), "bicubic")
        yield (left_side, files.write_png(rgb_pixels(rendered), "rendered")), words


def _window(size: tuple[int, int], across: float, down: float) -> tuple[int, int, int, int]:
    """The window of at most `WINDOW` pixels around a place, inside of the picture."""
    corners = []
    for side, most, part in zip(size, WINDOW, (across, down), strict=True):
        length = min(side, most)
        start = min(max(0, round(part * side - length / 2)), side - length)
        corners.append((start, start + length))
    (left, right), (top, bottom) = corners
    return left, top, right, bottom
