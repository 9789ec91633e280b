"""Gradio's Blocks, in which clients know files only by issued names.

Every call, on whatever route it arrives, passes `process_api`, `preprocess_data` and
`postprocess_data`. Here, a name is replaced by the server's own path before Gradio sees an input,
and the path of an output is replaced by a name. Gradio never sees a path or a URL from a client.
"""

import logging
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import gradio as gr
from gradio.route_utils import API_PREFIX
from gradio_client.utils import (  # type: ignore[import-untyped]
    is_file_obj_with_meta,
    traverse,
)

from pranc_codec import InvalidArgument

from . import visitors
from .errors import refusal
from .vault import UNKNOWN, Vault
from .visitors import Visitor, address_of

UNUSABLE: Final = "These inputs are not what this page sends: reload it and choose again"
log = logging.getLogger(__name__)


class Page(gr.Blocks):
    """Blocks whose files are kept in a vault."""

    def __init__(self, vault: Vault, **options: Any) -> None:
        self.vault = vault
        super().__init__(**options)

    def queue(self, *arguments: Any, **named: Any) -> "Page":
        """Set up the queue; the arguments are those of `gr.Blocks.queue`."""
        super().queue(*arguments, **named)
        end_quietly(self._queue)
        return self

    async def process_api(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        """Run a call as its visitor. An error that is not meant for visitors becomes a message."""
        token = visitors.current.set(_visitor(named))
        try:
            return await super().process_api(*arguments, **named)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            log.exception("a call failed")
            raise refusal("Something went wrong on the server; see its log") from error
        finally:
            visitors.current.reset(token)

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """Take files from the vault, without Gradio; Gradio prepares the other inputs."""
        if len(inputs) != len(block_fn.inputs):
            raise refusal(UNUSABLE)
        files: dict[int, Path] = {}
        plain: list[Any] = []
        for number, (block, value) in enumerate(zip(block_fn.inputs, inputs, strict=True)):
            if takes_files(block) and value is not None:
                files[number] = self._file(value)
            elif holds_mapping(value) or (block.stateful and value is not None):
                raise refusal(UNUSABLE)
            plain.append(None if number in files or block.stateful else value)
        try:
            ready = await super().preprocess_data(block_fn, plain, state, explicit_call)
        except Exception as error:
            raise refusal(UNUSABLE) from error
        return [files.get(number, value) for number, value in enumerate(ready)]

    def _file(self, value: Any) -> Path:
        """Return the path of the file that an input names."""
        name = value.get("path") if is_file_obj_with_meta(value) else None
        if not isinstance(name, str):
            raise refusal(UNKNOWN)
        try:
            return self.vault.path_for(name, visitors.current.get())
        except InvalidArgument as error:
            raise refusal(str(error)) from error

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """Return the outputs, with names instead of paths."""
        return [
            self._named(value)
            for value in await super().postprocess_data(block_fn, predictions, state)
        ]

    def get_config_file(self) -> Any:
        """Return the page's configuration, with names instead of paths."""
        return self._named(super().get_config_file())

    def get_api_info(self, *arguments: Any, **named: Any) -> Any:
        """Return the description of the API, with names instead of paths."""
        return self._named(super().get_api_info(*arguments, **named))

    def _named(self, value: Any) -> Any:
        return traverse(value, self._name, is_file_obj_with_meta)

    def _name(self, file: dict[str, Any]) -> dict[str, Any]:
        path = Path(file["path"])
        if not path.is_absolute():
            return file  # it already has its name
        name = self.vault.name_of(path)
        return file | {"path": name, "url": f"{API_PREFIX}/file={quote(name)}"}


def end_quietly(queue: Any) -> None:
    """Let a call whose session has gone end; Gradio's queue would end, for everybody, with it."""
    send = queue.send_message

    def send_message(event: Any, message: Any) -> None:
        if event.session_hash in queue.pending_messages_per_session:
            send(event, message)
        else:
            event.alive = False

    queue.send_message = send_message


def takes_files(block: Any) -> bool:
    """Return whether a component's value is or contains files."""
    return getattr(block, "data_model", None) is not None


def holds_mapping(value: Any) -> bool:
    """Return whether a value contains a mapping. Only files may be sent as mappings."""
    if isinstance(value, list):
        return any(holds_mapping(item) for item in value)
    return isinstance(value, dict)


def _visitor(named: dict[str, Any]) -> Visitor:
    """Return the visitor that makes a call, from the arguments of `process_api`."""
    request = named.get("request")
    client = getattr(request, "client", None)
    return Visitor(
        session=named.get("session_hash") or "none",
        address=address_of(getattr(client, "host", None)),
    )
