"""The Look inside tab: a file's numbers made visible."""

from collections.abc import Iterator
from typing import Any, Final

import gradio as gr

import pranc_codec
from pranc_codec import Analysis

from . import charts, fragments
from .errors import told
from .files import LIMITS, Outgoing, outgoing, read_upload
from .pictures import rgb_pixels

COLOURS: Final = ("luminance", "red - blue", "green")


def build() -> gr.File:
    """Lay out the tab and wire it; returns the component that takes a file."""
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
    bounded: dict[str, Any] = dict(concurrency_limit=1, concurrency_id="decode")
    outputs: list[Any] = [words, heat, parts, coefficients, colour, latents]
    file.change(_look, file, outputs, api_name="look_inside", **bounded)
    colour.input(_show_latents, [file, colour], latents, api_visibility="private", **bounded)
    return file


def _look(path: str | None) -> Iterator[tuple[Any, ...]]:
    hidden = gr.update(visible=False)
    yield "", hidden, "", hidden, hidden, hidden
    if path is None:
        return
    with told():
        data = read_upload(path)
        analysis = pranc_codec.analyze(data, limits=LIMITS)
        picture = rgb_pixels(pranc_codec.decode(data, limits=LIMITS))
    grid, networks = bool(analysis.levels), bool(analysis.layers)
    bits = charts.heat_map(analysis.bits_per_pixel())
    with outgoing() as files:
        heat = (files.write_png(picture, "picture"), files.write_png(bits, "bits"))
        yield (
            _words(analysis),
            gr.update(value=heat, visible=True) if grid else hidden,
            fragments.bytes_bar(analysis),
            gr.update(value=charts.histogram(analysis), visible=True) if networks else hidden,
            gr.update(value=COLOURS[0], visible=grid, choices=COLOURS[: analysis.header.colours]),
            gr.update(value=_pictures(analysis, 0, files), visible=True) if grid else hidden,
        )


def _show_latents(path: str | None, colour: str) -> Iterator[list[tuple[str, str]]]:
    with told():
        analysis = pranc_codec.analyze(read_upload(path), limits=LIMITS)
    with outgoing() as files:
        yield _pictures(analysis, COLOURS.index(colour), files)


def _pictures(analysis: Analysis, colour: int, files: Outgoing) -> list[tuple[str, str]]:
    """A colour's latents, with captions."""
    return [
        (
            files.write_png(charts.latents_picture(level), level.name),
            f"{level.name}: {level.bits / 8:,.0f} bytes",
        )
        for level in reversed(analysis.levels)
        if level.colour == colour
    ]


def _words(analysis: Analysis) -> str:
    """The file in a few numbers."""
    coefficients = sum(layer.coefficients for layer in analysis.layers)
    symbols = [level.symbols for level in analysis.levels]
    latents = sum(s.size for s in symbols)
    nonzero = sum(int((s != 0).sum()) for s in symbols)
    numbers = [
        ("file", f"{analysis.file_bytes:,} bytes"),
        ("bits per pixel", f"{analysis.bpp:.3f}"),
        ("coefficients", f"{coefficients:,}"),
        ("seed", str(analysis.header.seed)),
    ]
    if latents:
        numbers += [("latents", f"{latents:,}"), ("not zero", f"{nonzero / latents:.1%}")]
        text = "Latents on a wavelet's grids say what is where; the network's coefficients, which "
        text += "change a trained prior, say how they become colours. In the pictures of latents "
        text += "red is above zero and blue below."
    else:
        text = "All weights of the network are made from a seed and these coefficients. No bit "
        text += "belongs to a place: each coefficient shapes the whole picture."
    return fragments.facts(numbers) + fragments.message(text)
