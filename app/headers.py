"""Security headers of all responses, which tell browsers what the page may do."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

POLICY: Final = (
    "default-src 'self'",
    # Gradio's page has its configuration in a script. Gradio's HTML component and our scrolling
    # script are compiled in the browser.
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
"""The content security policy, except for the sites that may show the page in a frame."""


def with_headers(send: Send, *, embed: bool) -> Send:
    """Add the headers to a response. embed: whether other sites may show the page in a frame."""
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
