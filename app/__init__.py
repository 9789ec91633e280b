"""The demo: see an image become a network, beside JPEG, WebP and AVIF at the same bytes.

`pranc demo` or, in the source tree, `python -m app` serves it. It knows the package by its public
names only; what it computes itself is how things look.

    launch      a server that is safe to publish      allowance   what visitors may cost
    gate        what stands between network and Gradio: routes, sizes, times, headers
    blocks      Gradio's Blocks with a vault: clients know files by issued names only
    page        the page and its tabs: encode_tab, decode_tab, inside_tab, kodak_tab
    pool        worker processes with deadlines       worker, tasks   what runs in them
    encoding    one encoding, followed by the page
    pictures    uploads in, pixels out                rivals      other formats at the same bytes
    charts      plotly figures                        fragments   pieces of HTML
"""

from .allowance import Allowance
from .launch import serve

__all__ = ["Allowance", "serve"]
