"""The page: headline and tabs."""

from pathlib import Path
from typing import Final

import gradio as gr

from . import decode_tab, encode_tab, fragments, inside_tab, kodak_tab
from .blocks import Page
from .calls import LIGHT, Server

SYSTEM_FONTS: Final = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
THEME: Final = gr.themes.Default(
    primary_hue="teal", secondary_hue="teal", neutral_hue="slate", font=SYSTEM_FONTS,
    font_mono=("ui-monospace", "Consolas", "monospace"),
)  # fmt: skip
"""The theme. It uses the fonts of the visitor's system, so nothing is loaded from other sites."""
STYLE: Final = Path(__file__).parent / "style.css"
TITLE: Final = "pranc_codec: the network is the file"


def build(server: Server) -> Page:
    """Lay out the whole page and connect its events."""
    page: Page
    with Page(server.vault, title=TITLE, analytics_enabled=False) as page:
        gr.HTML(fragments.headline())
        with gr.Tabs() as tabs:
            with gr.Tab("Encode", id="encode"):
                encoded = encode_tab.build(server)
            with gr.Tab("Decode", id="decode"):
                decode_file = decode_tab.build(server)
            with gr.Tab("Inside", id="inside"):
                inside_file = inside_tab.build(server)
            with gr.Tab("Kodak", id="kodak"):
                kodak_tab.build()
        for button, file, tab in (
            (encoded.decode, decode_file, "decode"),
            (encoded.inside, inside_file, "inside"),
        ):
            button.click(
                lambda path, tab=tab: (path, gr.Tabs(selected=tab)), encoded.made, [file, tabs],
                **LIGHT,
            )  # fmt: skip
    return page
