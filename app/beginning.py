"""What the beginning of a file already shows: the coarsest levels of its wavelet."""

from collections.abc import Iterator
from typing import Any, Final

import gradio as gr

import pranc_codec

from . import fragments
from .errors import told
from .files import LIMITS, outgoing, read_upload
from .pictures import rgb_pixels

NO_LEVELS: Final = "An mlp file has no levels: all of it is one network."
ALPHA_LAST: Final = "Transparency follows the levels: this file shows nothing before its end."


def build(file: gr.File, bounded: dict[str, Any]) -> None:
    """Lay out the part of the Decode tab and wire it. bounded: limits of what runs at once."""
    with gr.Accordion("Only the beginning of the file", open=False, elem_id="beginning"):
        levels = gr.Slider(0, 7, 4, step=1, label="Levels, from the coarsest", elem_id="levels")
        show = gr.Button("Show what these levels hold", elem_id="show-levels")
        picture = gr.Image(
            label="Decoded from these levels", format="png", interactive=False, height=420,
            buttons=["fullscreen"], elem_id="levels-picture",
        )  # fmt: skip
        words = gr.HTML(elem_id="levels-words")
    here = [file, levels]
    show.click(_show, here, [picture, words], api_name="beginning", **bounded)
    levels.release(_show, here, [picture, words], api_visibility="private", **bounded)


def _show(path: str | None, levels: float) -> Iterator[tuple[str | None, str]]:
    """The picture of some levels, and how much of the file they take."""
    with told():
        data = read_upload(path)
        ends = pranc_codec.analyze(data, limits=LIMITS).prefix_bytes
        if not ends:
            is_mlp = pranc_codec.inspect(data).profile == "mlp"
            yield None, fragments.message(NO_LEVELS if is_mlp else ALPHA_LAST)
            return
        number = min(int(levels), len(ends) - 1)
        image = pranc_codec.decode(data, levels=number, limits=LIMITS)
    text = (
        f"{number} of {len(ends) - 1} levels: the first {ends[number]:,} of {len(data):,} bytes "
        f"({ends[number] / len(data):.0%})"
    )
    with outgoing() as files:
        yield files.write_png(rgb_pixels(image), "beginning"), fragments.message(text)
