"""Show errors of the package in a toast. No other details of an error leave the server."""

from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from pranc_codec import EncodingCancelled, PrancError


@contextmanager
def told() -> Iterator[None]:
    """Show errors of the package in a toast."""
    try:
        yield
    except EncodingCancelled:
        raise gr.Error(
            "The encoding was cancelled", title="Encoding", print_exception=False
        ) from None
    except PrancError as error:
        text = str(error)
        raise refusal(text[:1].upper() + text[1:]) from error


def refusal(text: str) -> gr.Error:
    """Return the toast of something that did not work, without an entry in the log."""
    return gr.Error(text, title="That did not work", print_exception=False)
