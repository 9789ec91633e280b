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
        raise gr.Error(
            text[:1].upper() + text[1:], title="That did not work", print_exception=False
        ) from error
