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
from typing import Final

LARGEST_UPLOAD: Final = "20mb"
MOST_WAITING: Final = 32
DELETE_EVERY_S: Final = 600
DELETE_AFTER_S: Final = 3600
"""Age at which a file goes."""


def serve(
    *, host: str | None = None, port: int | None = None, jobs: int = 1, browser: bool = False
) -> None:
    """Serve the page until interrupted.

    host: to listen on; None: what GRADIO_SERVER_NAME says, or this host only. port: None: what
    GRADIO_SERVER_PORT says, or the first free one from 7860 on. jobs: pictures that are fitted at
    the same time. browser: open the page in one.
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
