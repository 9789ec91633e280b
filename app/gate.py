"""Middleware between the network and Gradio.

Only the routes that the page and Gradio's clients use are open. Requests are limited in size, time
and number. Uploads and downloads are served here, under the vault's names.
"""

import asyncio
import json
import logging
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import HTTPException
from gradio.route_utils import API_PREFIX, upload_fn
from gradio.routes import file_upload_statuses
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .allowance import Allowance
from .blocks import Page
from .headers import with_headers
from .visitors import address_of

OPEN: Final = {
    "GET": re.compile(
        r"/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/(static|assets)/.+"
        rf"|{API_PREFIX}/(info/?|openapi\.json|heartbeat/\w+|queue/(data|status)|upload_progress"
        r"|startup-events|app_id/?|theme\.css|call/(v2/)?\w+/\w+|file=.+)"
    ),
    "POST": re.compile(rf"{API_PREFIX}/(queue/join|call/(v2/)?\w+/?|upload|cancel|reset/?)"),
}
"""Open routes by method; HEAD is treated as GET. These are not open: `run` and `api`, which bypass
the queue, the proxy, component functions, streams, deep links, run history and Gradio's tools."""
JOIN: Final = re.compile(rf"{API_PREFIX}/(queue/join|call/.+)")
FILE: Final = f"{API_PREFIX}/file="
UPLOAD: Final = f"{API_PREFIX}/upload"
LARGEST_BODY_BYTES: Final = 2**16
"""Largest body of requests that are not uploads."""
UPLOAD_EXTRA_BYTES: Final = 2**14
"""How much larger than its files an upload request may be."""
FORGET_UPLOAD_S: Final = 10
SESSION: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
SHOWN: Final = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
    ".webp": "image/webp", ".avif": "image/avif", ".bmp": "image/bmp",
}  # fmt: skip
"""Suffixes of files that a browser may show, with their media types; others are downloaded."""
log = logging.getLogger(__name__)


class Refused(HTTPException):
    """A request is refused; `detail` gives the reason in words."""


class Gate:
    """ASGI middleware in front of a page, with the limits of an allowance."""

    def __init__(self, app: ASGIApp, page: Page, allowance: Allowance) -> None:
        self._app = app
        self._page = page
        self._allowance = allowance
        self._open: Counter[str] = Counter()
        self._joining: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] != "websocket":
                await self._app(scope, receive, send)
            return
        send = with_headers(send, embed=self._allowance.embed)
        address = address_of((scope.get("client") or (None,))[0])
        started = _Started(send)
        with _counted(self._open, address):
            try:
                await self._answer(scope, receive, started, address)
            except Exception as error:
                if started.done:
                    raise
                await _refusal(error, scope)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, address: str) -> None:
        path, method = scope["path"], scope["method"].replace("HEAD", "GET")
        if not (method in OPEN and OPEN[method].fullmatch(path)):
            raise Refused(404, "There is nothing here for visitors")
        if self._open[address] > self._allowance.requests_per_visitor:
            raise Refused(429, "Too many requests of yours are open: close some and try again")
        if path.startswith(FILE):
            await self._file(path.removeprefix(FILE))(scope, receive, send)
        elif path == UPLOAD:
            response = await self._upload(Request(scope, self._bounded(receive, scope)), address)
            await response(scope, receive, send)
        elif JOIN.fullmatch(path) and method == "POST":
            await self._join(scope, self._bounded(receive, scope), send, address)
        else:
            await self._app(scope, self._bounded(receive, scope), send)

    def _file(self, name: str) -> Response:
        """Return the file with a name."""
        path = self._page.vault.find(name)
        if path is None:
            raise Refused(404, "There is no such file, or it was deleted")
        shown = SHOWN.get(path.suffix.lower())
        return FileResponse(
            path, filename=path.name, media_type=shown or "application/octet-stream",
            content_disposition_type="inline" if shown else "attachment",
        )  # fmt: skip

    async def _upload(self, request: Request, address: str) -> Response:
        """Store the uploaded files; answer with their names."""
        vault = self._page.vault
        if not vault.has_room():
            raise Refused(507, "This server keeps no more files at the moment: try again later")
        folder = vault.new_folder()
        ticket = parse_qs(request.scope["query_string"].decode("latin-1")).get("upload_id", [""])[0]
        try:
            files, *_ = await upload_fn(
                request, str(folder), self._allowance.upload_bytes, ticket or None,
                upload_progress=file_upload_statuses if ticket else None,
            )  # fmt: skip
            if len(files) != 1:
                raise Refused(400, f"Send one file in a request, not {len(files)}")
            return JSONResponse([vault.admit(Path(files[0]), address)])
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            if ticket:
                asyncio.get_running_loop().call_later(
                    FORGET_UPLOAD_S, file_upload_statuses.stop_tracking, ticket
                )

    async def _join(self, scope: Scope, receive: Receive, send: Send, address: str) -> None:
        """Let a call into the queue, unless its visitor already has too many calls there."""
        calls = self._joining[address] + calls_of(self._page, address)
        if calls >= self._allowance.calls_per_visitor:
            raise Refused(
                429, f"{calls} of your calls already run or wait: wait until one has ended"
            )
        with _counted(self._joining, address):
            body = await Request(scope, receive).body()
            check_session(body)
            await self._app(scope, _replay(body, receive), send)

    def _bounded(self, receive: Receive, scope: Scope) -> Receive:
        """Limit the size of a request's body, and the time in which it must arrive."""
        limits = self._allowance
        is_upload = scope["path"] == UPLOAD
        left = limits.upload_bytes + UPLOAD_EXTRA_BYTES if is_upload else LARGEST_BODY_BYTES
        loop = asyncio.get_running_loop()
        end, complete = loop.time() + limits.body_seconds, False

        async def bounded() -> Message:
            nonlocal left, complete
            if complete:  # all that can follow is the end of the connection
                return await receive()
            try:
                wait_s = min(limits.stall_seconds, end - loop.time())
                message = await asyncio.wait_for(receive(), max(0.0, wait_s))
            except TimeoutError as error:
                raise Refused(408, "The request did not arrive in time: send it again") from error
            left -= len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if left < 0:
                raise Refused(413, "The request exceeds the size that this server accepts")
            return message

        return bounded


class _Started:
    """Sends a response, and records whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.done = False

    async def __call__(self, message: Message) -> None:
        self.done = True
        await self._send(message)


@contextmanager
def _counted(counter: Counter[str], address: str) -> Iterator[None]:
    """Count something of a visitor while a block runs."""
    counter[address] += 1
    try:
        yield
    finally:
        counter[address] -= 1
        if not counter[address]:
            del counter[address]


def check_session(body: bytes) -> None:
    """Refuse a call whose session is not one that the page or Gradio's clients make up.

    Gradio's queue ends, for everybody, at an error in a call without a queue of messages.
    """
    values = json.loads(body)
    session = values.get("session_hash")
    if session is not None and not (isinstance(session, str) and SESSION.fullmatch(session)):
        raise Refused(400, "`session_hash` must be 1 to 64 letters, digits, '-' or '_'")


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was already read, then what follows it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


def calls_of(page: Page, address: str) -> int:
    """Return the number of a visitor's calls that run or wait."""
    queue = page._queue
    events: list[Any] = [event for job in queue.active_jobs if job for event in job]
    for waiting in queue.event_queue_per_concurrency_id.values():
        events += waiting.queue
    hosts = (event.request.client.host for event in events if event.request.client)
    return sum(address_of(host) == address for host in hosts)


def _refusal(error: Exception, scope: Scope) -> Response:
    """Turn an error into a response.

    Gradio's page shows the text of a response to an upload, and the detail of others.
    """
    if isinstance(error, Refused):
        status, text = error.status_code, error.detail
    elif isinstance(error, MultiPartException):
        too_large = "exceeded" in error.message
        status, text = (413 if too_large else 400), f"The upload was refused: {error.message}"
    else:
        status, text = 400, "This is not a request that the page sends: reload it and try again"
        log.warning("%s %s: %r", scope["method"], scope["path"], error)
    if scope["path"] == UPLOAD and scope["method"] == "POST":
        return PlainTextResponse(text, status)
    return JSONResponse({"detail": text}, status)
