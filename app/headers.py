"""Headers of every answer that tell browsers what the page may do."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

POLICY: Final = (
    "default-src 'self'",
    # Gradio's page holds its configuration in a script, and its HTML component and ours for
    # scrolling are compiled in the browser.
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "media-src 'self' blob:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
)
"""The content security policy, without who may show the page in a frame."""


def with_headers(send: Send, *, embed: bool) -> Send:
    """Add the headers to a response. embed: other sites may show the page in a frame."""
    policy = [*POLICY, "frame-ancestors *" if embed else "frame-ancestors 'none'"]

    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Content-Security-Policy"] = "; ".join(policy)
            headers["Referrer-Policy"] = "no-referrer"  # files are fetched by secret names
            if not embed:
                headers["X-Frame-Options"] = "DENY"
        await send(message)

    return sender
