"""Sphinx settings. `make docs` builds the site; nothing in it is loaded from another host."""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

pranc_codec = importlib.import_module("pranc_codec")

project = "pranc_codec"
author = "The pranc_codec authors"
copyright = "The pranc_codec authors"
release = version = pranc_codec.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "house_docstrings"]
exclude_patterns = ["_ext"]
nitpicky = False

html_theme = "furo"
html_title = "pranc_codec"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

myst_enable_extensions = ["substitution"]
myst_heading_anchors = 3

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
maximum_signature_line_length = 72


def specification(module: str) -> str:
    """A module's docstring as a block of text: the specification, which is written once, there."""
    return f"```text\n{importlib.import_module(module).__doc__.strip()}\n```"


myst_substitutions = {
    "image_format": specification("pranc_codec.format.bitstream"),
    "model_format": specification("pranc_codec.pranc.file_format"),
}
