"""A part of the Decode tab that decodes only the beginning of a file: its coarsest levels."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from .calls import DECODE, Server
from .errors import told


def build(server: Server, file: gr.File) -> None:
    """Lay out this part of the Decode tab and connect its events."""
    with gr.Accordion("Only the beginning of the file", open=False, elem_id="beginning"):
        levels = gr.Slider(0, 7, 4, step=1, label="Levels, from the coarsest", elem_id="levels")
        show = gr.Button("Show what these levels hold", elem_id="show-levels")
        picture = gr.Image(
            label="Decoded from these levels", format="png", interactive=False, height=420,
            buttons=["fullscreen"], elem_id="levels-picture",
        )  # fmt: skip
        words = gr.HTML(elem_id="levels-words")
    here: list[Any] = [file, levels]
    run = partial(_show, server)
    show.click(run, here, [picture, words], api_name="beginning", **DECODE)
    levels.release(run, here, [picture, words], api_visibility="private", **DECODE)


def _show(server: Server, path: Path | None, levels: float) -> Iterator[Any]:
    """Show the picture of the coarsest levels, and how much of the file they take."""
    with told():
        found = yield from server.result("beginning", path, int(levels))
    png = found["png"]
    yield png and server.file(png, "beginning.png"), found["words"]
