"""Start a server that is safe to publish; see docs/publishing-the-demo.md."""

import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Final

from .allowance import Allowance
from .cache import private_cache
from .pool import Entry, Pool

if TYPE_CHECKING:
    from .vault import Vault

SPARE_WORKERS: Final = 2
"""Number of workers that do not encode: one decodes and analyses, one reads pictures' headers."""
SWEEP_EVERY_S: Final = 60.0
SESSIONS: Final = 1000


def work(connection: Connection, memory_bytes: int) -> None:
    """Run a worker process."""
    from .worker import work  # here, because it imports modules that the page does not need

    work(connection, memory_bytes)


def serve(
    *, allowance: Allowance | None = None, host: str | None = None, port: int | None = None,
    browser: bool = False, worker: Entry = work,
) -> None:  # fmt: skip
    """Serve the page until interrupted.

    allowance: limits for visitors. host: address to listen on; None for that in the environment
    variable GRADIO_SERVER_NAME, or else only this host. port: None for that in GRADIO_SERVER_PORT,
    or else the first free one from 7860 on. browser: whether to open the page in a browser. worker:
    function that runs a worker process; a fresh interpreter imports it by its name.
    """
    if parent_process() is not None:
        return  # this is a worker, which runs an unguarded main script again
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    allowance = allowance or Allowance()
    pool = Pool(worker, allowance.jobs + SPARE_WORKERS, allowance.memory_bytes)
    warming = threading.Thread(target=pool.warm, daemon=True)
    warming.start()
    with private_cache() as folder, closing(pool):
        from starlette.middleware import Middleware

        from . import page  # here, because gradio reads the environment early
        from .calls import Server
        from .gate import Gate
        from .vault import Vault

        vault = Vault(folder, allowance)
        with swept(vault):
            blocks = page.build(Server(allowance=allowance, pool=pool, vault=vault))
            blocks.queue(max_size=allowance.waiting, api_open=False)
            warming.join()  # so that the first visitor does not have to wait
            blocks.launch(
                server_name=host,
                server_port=port,
                inbrowser=browser,
                quiet=True,
                share=False,
                show_error=False,
                max_file_size=allowance.upload_bytes,
                footer_links=["api"],
                run_history=False,
                enable_monitoring=False,
                ssr_mode=False,
                mcp_server=False,
                state_session_capacity=SESSIONS,
                theme=page.THEME,
                css_paths=page.STYLE,
                app_kwargs={"middleware": [Middleware(Gate, page=blocks, allowance=allowance)]},
            )


@contextmanager
def swept(vault: "Vault") -> Iterator[None]:
    """Delete old files regularly until the block ends."""
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(SWEEP_EVERY_S):
            vault.sweep()

    threading.Thread(target=sweep, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
