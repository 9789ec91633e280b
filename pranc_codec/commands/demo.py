"""`pranc demo`"""

import importlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Annotated, Final

import typer

from pranc_codec import PrancError

MODULE: Final = "pranc_codec._app"


def demo(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 0.0.0.0 for all. Default: this host.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Default: the first free one from 7860 on.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Pictures that are fitted at the same time.")
    ] = 1,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = False,
) -> None:
    """Serve the demo page: see a picture become a network, beside JPEG, WebP and AVIF.

    Needs `pip install 'pranc-codec[app]'`.

    Example: `pranc demo --browser`
    """
    try:
        load_app().serve(host=host, port=port, jobs=jobs, browser=browser)
    except ImportError as error:
        raise PrancError(f"{error}: the demo needs pip install 'pranc-codec[app]'") from error


def load_app() -> ModuleType:
    """The demo: the wheel has it as `pranc_codec._app`, a source tree in its folder `app`."""
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
