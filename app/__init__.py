"""The demo: see an image become a network, beside JPEG, WebP and AVIF at the same bytes.

`pranc demo` or, in the source tree, `python -m app` serves it. It knows the package by its public
names only; what it computes itself is how things look.

    launch      a server that is safe to publish
    page        the page and its tabs: encode_tab, decode_tab, inside_tab, kodak_tab
    encoding    one encoding in a thread, told live, stopped when nobody listens
    pictures    uploads in, pixels out        rivals      other formats at the same bytes
    charts      plotly figures                fragments   pieces of HTML
"""

from .launch import serve

__all__ = ["serve"]
