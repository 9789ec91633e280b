"""The command `pranc demo`."""

import importlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Annotated, Final

import typer

from pranc_codec import PrancError

MODULE: Final = "pranc_codec._app"


def demo(
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; 0.0.0.0 for all. Default: only this host."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on. Default: the first free one from 7860.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Number of pictures that are encoded at the same time.")
    ] = 1,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = False,
    embed: Annotated[bool, typer.Option(help="Let other sites show the page in a frame.")] = False,
    encode_seconds: Annotated[
        float, typer.Option(min=1, help="Refuse encodings that are expected to take longer.")
    ] = 600,
    decode_seconds: Annotated[
        float, typer.Option(min=1, help="Stop decoding a file after this time.")
    ] = 60,
    memory_gb: Annotated[
        float, typer.Option(min=0.5, help="Memory of each of the jobs + 2 worker processes.")
    ] = 4,
    calls: Annotated[
        int, typer.Option(min=1, help="Number of calls of one visitor that may run or wait.")
    ] = 8,
) -> None:
    """Serve the demo page: see a picture become a network, beside JPEG, WebP and AVIF.

    It needs `pip install 'pranc-codec[app]'`. Before you publish the page, read
    docs/publishing-the-demo.md.

    Example: `pranc demo --browser`
    """
    try:
        app = load_app()
        allowance = app.Allowance(
            jobs=jobs, embed=embed, encode_seconds=encode_seconds, decode_seconds=decode_seconds,
            memory_gb=memory_gb, calls_per_visitor=calls,
        )  # fmt: skip
        app.serve(allowance=allowance, host=host, port=port, browser=browser, worker=work)
    except ImportError as error:
        raise PrancError(f"{error}: the demo needs pip install 'pranc-codec[app]'") from error


def work(connection: Connection, memory_bytes: int) -> None:
    """Run a worker process of the demo.

    A fresh interpreter can import this function by its name. In a source tree, it could not import
    functions of the demo itself.
    """
    load_app()
    importlib.import_module(f"{MODULE}.worker").work(connection, memory_bytes)


def load_app() -> ModuleType:
    """Import the demo, which is `pranc_codec._app` in a wheel and `app` in a source tree."""
    folder = Path(__file__).parents[2] / "app"
    if not (folder / "launch.py").is_file():
        return importlib.import_module(MODULE)
    spec = spec_from_file_location(
        MODULE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[MODULE] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
