"""Requests to the demo as an attacker writes them: raw JSON, past Gradio's client."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

http = httpx.Client(verify=False, timeout=60)
"""One client for all requests: making one takes a while, since it reads certificates."""
META = {"_type": "gradio.FileData"}
FILE_KINDS = {"file", "image", "gallery", "imageslider", "downloadbutton", "uploadbutton"}


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """One session of the page."""

    url: str
    session: str = field(default_factory=lambda: secrets.token_hex(6))

    def post(self, route: str, body: Any) -> httpx.Response:
        return http.post(f"{self.url}/gradio_api/{route}", json=body)

    def upload(self, name: str, data: bytes) -> httpx.Response:
        return http.post(f"{self.url}/gradio_api/upload", files={"files": (name, data)})

    def call(self, number: int, data: list[Any]) -> dict[str, Any]:
        """Join the queue for a function; what the last message of the event says."""
        return self.calls([(number, data)])[0]

    def calls(self, calls: list[tuple[int, list[Any]]]) -> list[dict[str, Any]]:
        """Join the queue for several functions at once; the last message of each event."""
        found: dict[str, dict[str, Any]] = {}
        for number, (function, data) in enumerate(calls):
            body = {"data": data, "fn_index": function, "session_hash": self.session}
            joined = self.post("queue/join", body)
            answer = joined.json()
            if joined.status_code == 200:
                found[answer["event_id"]] = {}
            else:
                refused = {"success": False, "output": {"error": answer["detail"]}}
                found[f"refused {number}"] = refused
        url = f"{self.url}/gradio_api/queue/data?session_hash={self.session}"
        while not all(found.values()):
            with http.stream("GET", url) as stream:
                for message in messages(stream):
                    if message["msg"] == "process_completed":
                        found[message["event_id"]] = message
                    assert message["msg"] != "unexpected_error", message
        return list(found.values())


def messages(stream: httpx.Response) -> Iterator[dict[str, Any]]:
    """Messages of a stream of events."""
    return (json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A function that the page can call. kinds: of its inputs; defaults: valid values for them."""

    number: int
    name: str
    kinds: tuple[str, ...]
    defaults: tuple[Any, ...]
    cancels: bool

    def filled(self, payload: Any) -> list[Any]:
        """Inputs in which every file is `payload`; if there is none, every input is."""
        if not FILE_KINDS & set(self.kinds):
            return [payload for _ in self.kinds] or [payload]
        return [
            payload if kind in FILE_KINDS else default
            for kind, default in zip(self.kinds, self.defaults, strict=True)
        ]


def endpoints(url: str) -> list[Endpoint]:
    """All functions in the app's configuration, for users or not."""
    config = http.get(f"{url}/config").json()
    components = {component["id"]: component for component in config["components"]}
    return [
        Endpoint(
            number=dependency["id"],
            name=dependency["api_name"] or f"function-{dependency['id']}",
            kinds=tuple(components[number]["type"] for number in dependency["inputs"]),
            defaults=tuple(default_of(components[number]) for number in dependency["inputs"]),
            cancels=bool(dependency["cancels"]),
        )
        for dependency in config["dependencies"]
        if dependency["backend_fn"]
    ]


def default_of(component: dict[str, Any]) -> Any:
    """What a component holds when the page is opened; a state's value never leaves the server."""
    return None if component["type"] == "state" else component.get("props", {}).get("value")
