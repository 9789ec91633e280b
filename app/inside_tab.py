"""The Inside tab, which makes the numbers in a file visible."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import gradio as gr

from . import fragments
from .calls import DECODE, Server
from .errors import told

COLOURS: Final = ("luminance", "red - blue", "green")


def build(server: Server) -> gr.File:
    """Lay out the tab and connect its events; return the component that takes a file."""
    with gr.Row():
        with gr.Column(scale=4, min_width=320):
            file = gr.File(
                label="A .pranc file", type="filepath", height=140, elem_id="inside-file"
            )
            words = gr.HTML(
                fragments.message("What is in it appears here."), elem_id="inside-words"
            )
        with gr.Column(scale=7, min_width=320):
            heat = gr.ImageSlider(
                label="Where the bits are: left the picture, right its bits per pixel",
                format="png", interactive=False, max_height=520, elem_id="heat",
            )  # fmt: skip
            parts = gr.HTML()
            coefficients = gr.Plot(label="Coefficients of the network", elem_id="coefficients")
            colour = gr.Radio(list(COLOURS), value=COLOURS[0], label="Latents of")
            latents = gr.Gallery(
                label="Latents, fine to coarse: horizontal, vertical, diagonal detail",
                format="png", columns=1, height="auto", object_fit="contain", interactive=False,
                buttons=["fullscreen"], elem_id="latents",
            )  # fmt: skip
    outputs: list[Any] = [words, heat, parts, coefficients, colour, latents]
    file.change(partial(_look, server), file, outputs, api_name="look_inside", **DECODE)
    colour.input(
        partial(_show_latents, server), [file, colour], latents, api_visibility="private", **DECODE
    )
    return file


def _look(server: Server, path: Path | None) -> Iterator[Any]:
    """Show the contents of a file; hide parts that it does not have."""
    hidden = gr.update(visible=False)
    yield "", hidden, "", hidden, hidden, hidden
    if path is None:
        return
    with told():
        found = yield from server.result("inside", path)
    heat, histogram = hidden, hidden
    if found["heat"]:
        names = ("picture.png", "bits.png")
        sides = [server.file(*side) for side in zip(found["heat"], names, strict=True)]
        heat = gr.update(value=tuple(sides), visible=True)
    if found["histogram"]:
        histogram = gr.update(value=found["histogram"], visible=True)
    grid = bool(found["latents"])
    yield (
        found["words"], heat, found["parts"], histogram,
        gr.update(value=COLOURS[0], visible=grid, choices=COLOURS[: found["colours"]]),
        gr.update(value=_pictures(server, found["latents"]), visible=grid),
    )  # fmt: skip


def _show_latents(server: Server, path: Path | None, colour: str) -> Iterator[Any]:
    """Show the latents of another colour."""
    with told():
        found = yield from server.result("latents", path, COLOURS.index(colour))
    yield _pictures(server, found)


def _pictures(server: Server, latents: list[tuple[str, bytes, str]]) -> list[tuple[str, str]]:
    """Write pictures of latents to files; return these with their captions."""
    return [(server.file(png, f"{name}.png"), caption) for name, png, caption in latents]
