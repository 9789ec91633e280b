"""The demo attacked: whatever a client sends, no path and no URL of it is ever opened."""

import contextlib
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("gradio")
from tests.app.raw import META, Visitor, endpoints, http
from tests.app.server import ROOT

SENTENCE = re.compile(r"[A-Z].*\w+ \w+ \w+.*", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Web:
    """A web server that counts who asks it for something."""

    url: str
    asked: list[str]


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Web(url=f"http://127.0.0.1:{server.server_port}", asked=asked)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def paths(demo, tmp_path_factory, grid_file) -> dict[str, str]:
    """Paths that a stranger may want to be opened, by what they are."""
    folder = tmp_path_factory.mktemp("victim")
    picture, fifo = folder / "secret.png", folder / "pipe.png"
    Image.new("RGB", (16, 12), "red").save(picture)
    os.mkfifo(fifo)
    inside = demo.temporary / "in-the-temporary-folder.png"
    inside.write_bytes(picture.read_bytes())
    (demo.temporary / "secret.pranc").write_bytes(grid_file)
    return {
        "picture": str(picture),
        "picture in the temporary folder": str(inside),
        "file in the temporary folder": str(demo.temporary / "secret.pranc"),
        "relative path under the working directory": "docs/demo.png",
        "path under the working directory": str(ROOT / "docs" / "demo.png"),
        "server log": str(demo.log),
        "passwd": "/etc/passwd",
        "device": "/dev/zero",
        "FIFO": str(fifo),
        "folder": str(folder),
        "no such path": str(folder / "missing.png"),
        "path with a zero byte": "/etc/passwd\0.png",
    }


@pytest.fixture(scope="module")
def files_of_another(demo, photo, tmp_path_factory) -> list[str]:
    """Names of an upload of another session and of what the server made of it."""
    path = tmp_path_factory.mktemp("another") / "own.png"
    photo.save(path)
    other = Visitor(url=demo.url)
    (name,) = other.upload("own.png", path.read_bytes()).json()
    encode = next(e for e in endpoints(demo.url) if e.name == "encode")
    done = other.call(encode.number, encode.filled({"path": name, "meta": META}))
    assert done["success"], done
    found = re.findall(r'"path": ?"([^"]+)"', json.dumps(done))
    assert any(made.endswith("own.pranc") for made in found)
    return [name, *found]


def payloads(path: str) -> Iterator[Any]:
    """Ways to write a file into a request."""
    yield {"path": path, "meta": META}
    yield {"path": path}
    yield path
    yield [{"image": {"path": path, "meta": META}, "caption": "Original: 1 dB"},
           {"image": {"path": path}, "caption": "pranc"}]  # fmt: skip
    yield {"path": None, "url": path, "meta": META}
    yield {"value": {"path": path, "meta": META}, "__type__": "update"}


def refusals(demo, path: str) -> list[tuple[str, list[str]]]:
    """What each endpoint answers to a path; fails where one does not refuse."""
    found = []
    for endpoint in endpoints(demo.url):
        sent = list(payloads(path))
        calls = [(endpoint.number, endpoint.filled(payload)) for payload in sent]
        answers = Visitor(url=demo.url).calls(calls)
        if endpoint.cancels:  # takes nothing that a client sends
            continue
        for payload, message in zip(sent, answers, strict=True):
            what = f"{endpoint.name} took {payload}: {message}"
            assert message.get("success") is False, what
            assert SENTENCE.fullmatch(message["output"]["error"] or ""), what
        found.append((endpoint.name, [message["output"]["error"] for message in answers]))
    return found


@pytest.fixture(scope="module")
def expected(demo) -> list[tuple[str, list[str]]]:
    """What is answered to a path that means nothing anywhere."""
    return refusals(demo, "/nonexistent/by/any/means.png")


KINDS = [
    "picture", "picture in the temporary folder", "file in the temporary folder",
    "relative path under the working directory", "path under the working directory",
    "server log", "passwd", "device", "FIFO", "folder", "no such path", "path with a zero byte",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_no_endpoint_opens_a_path_or_tells_whether_it_exists(demo, paths, expected, kind):
    assert refusals(demo, paths[kind]) == expected


def test_no_endpoint_takes_a_file_of_another_session(demo, files_of_another, expected):
    for name in dict.fromkeys(files_of_another[:2] + files_of_another[-1:]):
        assert refusals(demo, name) == expected


def test_no_endpoint_fetches_a_url(demo, web, expected):
    for scheme in (web.url, web.url.replace("http", "HTTP")):
        assert refusals(demo, f"{scheme}/picture.png") == expected
    data = [{"path": f"{web.url}/a.png", "url": f"{web.url}/b.png", "meta": META}]
    for endpoint in endpoints(demo.url):
        for route in ("call", "call/v2", "run", "api"):
            http.post(f"{demo.url}/gradio_api/{route}/{endpoint.name}", json={"data": data})
    for route in ("file=", "proxy=", "file/"):
        answer = http.get(f"{demo.url}/gradio_api/{route}{web.url}/c.png")
        assert answer.status_code in (403, 404)
    assert web.asked == []


def test_nothing_goes_around_the_queue(demo, paths):
    for endpoint in endpoints(demo.url):
        data = endpoint.filled({"path": paths["picture"], "meta": META})
        body = {"data": data, "fn_index": endpoint.number, "session_hash": "x1"}
        for route in ("run", "api"):
            for name in (endpoint.name, "predict"):
                for end in ("", "/"):
                    answer = Visitor(url=demo.url).post(f"{route}/{name}{end}", body)
                    assert answer.status_code == 404, (route, name)


CLOSED = [
    ("POST", "gradio_api/component_server"), ("POST", "gradio_api/stream/abc"),
    ("POST", "gradio_api/process_recording"), ("GET", "gradio_api/deep_link?session_hash=x"),
    ("GET", "gradio_api/runs"), ("POST", "gradio_api/run-history/connect"),
    ("GET", "gradio_api/run-history/buckets"), ("GET", "gradio_api/vibe-code"),
    ("POST", "gradio_api/vibe-edit"), ("GET", "gradio_api/custom_component/x/client/y/z.js"),
    ("GET", "monitoring/summary"), ("GET", "monitoring"), ("POST", "login"),
    ("GET", "gradio_api/stream/a/b/1/playlist.m3u8"), ("GET", "gradio_api/dev/reload"),
    ("GET", "gradio_api/profiling/traces"), ("GET", "docs"), ("GET", "openapi.json"),
    ("DELETE", "gradio_api/upload"), ("PUT", "config"), ("TRACE", ""),
]  # fmt: skip


@pytest.mark.parametrize(("method", "route"), CLOSED, ids=lambda part: part or "root")
def test_what_the_page_does_not_use_is_closed(demo, method, route):
    answer = http.request(method, f"{demo.url}/{route}")
    assert answer.status_code == 404
    assert SENTENCE.fullmatch(answer.json()["detail"])


def test_folders_above_are_not_served(demo):
    for above in ("..%2f..%2f", "../../", "%2e%2e/%2e%2e/", "/", "//"):
        for base in ("static/", "assets/", "gradio_api/file=", "gradio_api/file/"):
            path = f"/{base}{above}etc/passwd"
            with contextlib.closing(socket.create_connection(address_of(demo.url))) as line:
                line.sendall(
                    f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
                )
                answer = b"".join(iter(lambda line=line: line.recv(4096), b""))
            assert b"root:" not in answer
            assert answer.split()[1] in (b"403", b"404", b"400"), path


def address_of(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def test_nothing_tells_where_files_lie(demo, files_of_another):
    """Neither the page, its configuration and API, nor what was said to another visitor."""
    said = [json.dumps(files_of_another)]
    for route in ("", "config", "gradio_api/info", "gradio_api/info?all_endpoints=true",
                  "gradio_api/openapi.json", "gradio_api/app_id"):  # fmt: skip
        said.append(http.get(f"{demo.url}/{route}").text)
    for text in said:
        for folder in (demo.temporary, ROOT, Path.home(), Path(Image.__file__).parents[1]):
            assert f"{folder}/" not in text
