"""The demo: see an image become a network, beside JPEG, WebP and AVIF at the same bytes.

`pranc demo` or, in the source tree, `python -m app` serves it. It uses only the public names of the
package, and computes only the presentation itself.

    launch      a server that is safe to publish      allowance   limits for visitors
    gate        middleware in front of Gradio: routes, sizes, times, headers
    blocks      Gradio's Blocks with a vault: clients know files only by issued names
    page        the page and its tabs: encode_tab, decode_tab, inside_tab, kodak_tab
    pool        worker processes with deadlines       worker, tasks   the code that runs in them
    encoding    reports the state of an encoding to the page
    pictures    reads uploaded pictures               rivals      other formats at the same bytes
    charts      plotly figures                        fragments   pieces of HTML
    vault, cache   the files of visitors              visitors    sessions and addresses
"""

from .allowance import Allowance
from .launch import serve

__all__ = ["Allowance", "serve"]
