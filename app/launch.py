"""A server that is safe to publish.

What it holds to: uploads and pictures are bounded, fits wait in one bounded queue, files lie in a
folder of this process's own under names that only their content gives away, and are deleted after
an hour or when the server ends; nothing is reported to anyone.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

LARGEST_UPLOAD: Final = "20mb"
MOST_WAITING: Final = 32
DELETE_EVERY_S: Final = 600
DELETE_AFTER_S: Final = 3600
"""Age at which a file goes."""


def serve(
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
    """Serve the demo page: encode pictures, compare with JPEG, WebP and AVIF, look inside files.

    Example: `pranc demo --port 8000 --browser`
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with private_cache():
        from . import encoding, page  # here, because gradio reads the environment early

        encoding.start(jobs)
        blocks = page.build(jobs, delete_cache=(DELETE_EVERY_S, DELETE_AFTER_S))
        blocks.queue(max_size=MOST_WAITING)
        try:
            blocks.launch(
                server_name=host,
                server_port=port,
                inbrowser=browser,
                quiet=True,
                share=False,
                show_error=False,
                max_file_size=LARGEST_UPLOAD,
                footer_links=["api"],
                enable_monitoring=False,
                ssr_mode=False,
                theme=page.THEME,
                css_paths=page.STYLE,
            )
        finally:
            encoding.stop()


@contextmanager
def private_cache() -> Iterator[Path]:
    """A folder that only this user's processes can read, for all files of the page; gone after."""
    folder = Path(tempfile.mkdtemp(prefix="pranc-demo-"))
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
