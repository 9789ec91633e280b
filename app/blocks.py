"""Gradio's Blocks, in which clients know files by issued names only.

Every call, on whatever route it comes, passes `process_api`, `preprocess_data` and
`postprocess_data`. Here a name becomes the server's own path before Gradio looks at an input, and
the path of an output becomes a name. Gradio never sees a path or a URL that a client sent.
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
from .vault import UNKNOWN, Vault
from .visitors import Visitor, address_of

UNUSABLE: Final = "These inputs are not what this page sends: reload it and choose again"
log = logging.getLogger(__name__)


class Page(gr.Blocks):
    """Blocks whose files are in a vault."""

    def __init__(self, vault: Vault, **options: Any) -> None:
        self.vault = vault
        super().__init__(**options)

    async def process_api(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        """Run a call as its visitor; an error that was not meant for visitors is told in words."""
        token = visitors.current.set(_visitor(named))
        try:
            return await super().process_api(*arguments, **named)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            log.exception("a call failed")
            raise _refusal("Something went wrong on the server; its log tells what") from error
        finally:
            visitors.current.reset(token)

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """Files come from the vault, past Gradio, which does the rest of the inputs."""
        if len(inputs) != len(block_fn.inputs):
            raise _refusal(UNUSABLE)
        files: dict[int, Path] = {}
        plain: list[Any] = []
        for number, (block, value) in enumerate(zip(block_fn.inputs, inputs, strict=True)):
            if takes_files(block) and value is not None:
                files[number] = self._file(value)
            elif holds_mapping(value) or (block.stateful and value is not None):
                raise _refusal(UNUSABLE)
            plain.append(None if number in files or block.stateful else value)
        try:
            ready = await super().preprocess_data(block_fn, plain, state, explicit_call)
        except Exception as error:
            raise _refusal(UNUSABLE) from error
        return [files.get(number, value) for number, value in enumerate(ready)]

    def _file(self, value: Any) -> Path:
        """The file that an input names."""
        name = value.get("path") if is_file_obj_with_meta(value) else None
        if not isinstance(name, str):
            raise _refusal(UNKNOWN)
        try:
            return self.vault.path_for(name, visitors.current.get())
        except InvalidArgument as error:
            raise _refusal(str(error)) from error

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """Outputs, with names instead of paths."""
        return [
            self._named(value)
            for value in await super().postprocess_data(block_fn, predictions, state)
        ]

    def get_config_file(self) -> Any:
        """The page's configuration, with names instead of paths."""
        return self._named(super().get_config_file())

    def get_api_info(self, *arguments: Any, **named: Any) -> Any:
        """The description of the API, with names instead of paths."""
        return self._named(super().get_api_info(*arguments, **named))

    def _named(self, value: Any) -> Any:
        return traverse(value, self._name, is_file_obj_with_meta)

    def _name(self, file: dict[str, Any]) -> dict[str, Any]:
        path = Path(file["path"])
        if not path.is_absolute():
            return file  # has its name already
        name = self.vault.name_of(path)
        return file | {"path": name, "url": f"{API_PREFIX}/file={quote(name)}"}


def takes_files(block: Any) -> bool:
    """Whether a component's value is or holds files."""
    return getattr(block, "data_model", None) is not None


def holds_mapping(value: Any) -> bool:
    """Whether there is a mapping in a value: only files are sent as such."""
    if isinstance(value, list):
        return any(holds_mapping(item) for item in value)
    return isinstance(value, dict)


def _refusal(text: str) -> gr.Error:
    return gr.Error(text, title="That did not work", print_exception=False)


def _visitor(named: dict[str, Any]) -> Visitor:
    """Who makes a call, from the arguments of `process_api`."""
    request = named.get("request")
    client = getattr(request, "client", None)
    return Visitor(
        session=named.get("session_hash") or "none",
        address=address_of(getattr(client, "host", None)),
    )
