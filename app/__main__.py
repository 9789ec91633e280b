"""`python -m app`"""

import typer

from .launch import serve

typer.run(serve)
