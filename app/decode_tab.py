"""The Decode tab, which shows a file's picture as a whole, or a window of it at any size."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from . import beginning, fragments
from .calls import DECODE, LIGHT, Server
from .errors import told


def build(server: Server) -> gr.File:
    """Lay out the tab and connect its events; return the component that takes a file."""
    size = gr.State((1, 1))
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
            beginning.build(server, file)
    here: list[Any] = [file, zoom, across, down]
    outputs: list[Any] = [picture, header, window, words, size]
    show = partial(_render, server)
    file.change(partial(_decode, server), file, outputs, api_name="decode", **DECODE)
    render.click(show, here, [window, words], api_name="window", **DECODE)
    for slider in (zoom, across, down):
        slider.release(show, here, [window, words], api_visibility="private", **DECODE)
    picture.select(_place, size, [across, down], **LIGHT).then(
        show, here, [window, words], api_visibility="private", **DECODE
    )
    return file


def _decode(server: Server, path: Path | None) -> Iterator[Any]:
    """Show the picture of a file, and its header."""
    yield None, "", None, "", (1, 1)
    if path is None:
        return
    with told():
        found = yield from server.result("decode", path)
    picture = server.file(found["png"], "decoded.png")
    yield picture, found["header"], None, "", found["size"]


def _place(size: tuple[int, int], event: gr.SelectData) -> tuple[int, int]:
    """Return where the picture was clicked, in percent of its width and height."""
    x, y = (min(max(round(100 * float(at) / side), 0), 100)
            for at, side in zip(event.index, size, strict=True))  # fmt: skip
    return x, y


def _render(
    server: Server, path: Path | None, zoom: float, across: float, down: float
) -> Iterator[Any]:
    """Show a window rendered at a larger size, beside the enlarged decoded pixels."""
    with told():
        found = yield from server.result("window", path, zoom, across / 100, down / 100)
    sides = [server.file(found[side], f"{side}.png") for side in ("bicubic", "rendered")]
    yield tuple(sides), found["words"]
