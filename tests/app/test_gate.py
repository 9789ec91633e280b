"""What stands between the network and the demo: sizes, times, numbers, headers, words."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from pranc_codec import InvalidArgument

pytest.importorskip("gradio")

from gradio.queueing import Queue

from app import cache, visitors
from app.allowance import Allowance
from app.blocks import end_quietly
from app.gate import Gate
from app.vault import Vault, clean
from app.visitors import Visitor as Asker
from tests.app.raw import META, Visitor, endpoints, http
from tests.app.server import ROOT
from tests.app.test_attacks import SENTENCE


def test_headers_of_every_answer(demo):
    for route in ("", "config", "gradio_api/file=none", "gradio_api/run/encode", "theme.css"):
        headers = http.get(f"{demo.url}/{route}").headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["frame-ancestors"] == "'none'"
        assert policy["default-src"] == policy["connect-src"] == "'self'"
        assert policy["object-src"] == "'none'"
        assert not any(host in str(policy) for host in ("http", "*"))


def encode_number(demo) -> int:
    return next(e.number for e in endpoints(demo.url) if e.name == "encode")


def settings(effort: int = 0) -> list:
    return ["grid", "quality", 25, 0.5, 1.5, 30, effort, "768 px"]


def test_a_visitor_has_a_bounded_number_of_calls(demo, photo, tmp_path):
    """Also when they come at the same time, in sessions of their own."""
    path = tmp_path / "photo.png"
    photo.resize((192, 128)).save(path)
    sessions = [Visitor(url=demo.url) for _ in range(12)]
    number, answers = encode_number(demo), []
    for visitor in sessions:
        (name,) = visitor.upload("photo.png", path.read_bytes()).json()
        data = [{"path": name, "meta": META}, *settings(effort=7)]
        body = {"data": data, "fn_index": number, "session_hash": visitor.session}
        answers.append(visitor.post("queue/join", body))
    taken = [(v, a.json()) for v, a in zip(sessions, answers, strict=True) if a.status_code == 200]
    refused = [answer for answer in answers if answer.status_code != 200]
    for visitor, answer in taken:
        body = {"session_hash": visitor.session, "fn_index": number, **answer}
        visitor.post("cancel", body)
    assert len(taken) <= Allowance().calls_per_visitor
    assert {answer.status_code for answer in refused} == {429}
    assert all(SENTENCE.fullmatch(f"N{a.json()['detail']}") for a in refused)
    end = time.monotonic() + 60
    while http.get(f"{demo.url}/gradio_api/queue/status").json()["queue_size"]:
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize("session", ["", "<gradio-sep>", "a/b", "x" * 65, 7, ["a"]])
def test_a_session_that_no_client_makes_up_is_refused(demo, session):
    """Gradio's queue ended, for everybody, at a call in such a session."""
    body = {"data": [], "fn_index": encode_number(demo), "session_hash": session}
    answer = http.post(f"{demo.url}/gradio_api/queue/join", json=body)
    assert answer.status_code == 400
    assert "session_hash" in answer.json()["detail"]


def test_a_call_whose_session_has_gone_ends_quietly():
    async def message() -> bool:
        queue = Queue(
            live_updates=False, concurrency_count=1, update_intervals=1, max_size=1, blocks=None
        )
        end_quietly(queue)
        event = SimpleNamespace(alive=True, session_hash="gone", _id="1")
        queue.send_message(event, SimpleNamespace())
        return event.alive

    assert not asyncio.run(message())


def test_a_file_that_vanished_can_be_swept(tmp_path):
    vault = Vault(tmp_path, Allowance(keep_seconds=0))
    folder = vault.new_folder()
    (folder / "a.png").write_bytes(b"a")
    name = vault.admit(folder / "a.png", "visitor")
    (folder / "a.png").unlink()
    folder.rmdir()
    vault.sweep()
    assert vault.find(name) is None


def test_one_upload_is_one_file(demo):
    before = len(demo.files())
    files = [("files", (f"{n}.png", b"small")) for n in range(2)]
    answer = http.post(f"{demo.url}/gradio_api/upload", files=files)
    assert answer.status_code == 400
    assert len(demo.files()) == before


def test_uploads_of_one_request_are_bounded_together(demo):
    files = [("files", (f"{n}.png", bytes(6_000_000))) for n in range(4)]
    before = len(demo.files())
    answer = http.post(f"{demo.url}/gradio_api/upload", files=files)
    assert answer.status_code == 413
    assert SENTENCE.fullmatch(answer.text)
    assert len(demo.files()) == before


def test_a_large_call_is_refused(demo):
    answer = Visitor(url=demo.url).post("queue/join", {"data": ["x" * 100_000]})
    assert answer.status_code == 413
    assert SENTENCE.fullmatch(answer.json()["detail"])


def test_calls_that_make_no_sense_are_refused_in_words(demo):
    visitor = Visitor(url=demo.url)
    for route, body in [
        ("queue/join", {"data": [], "fn_index": 999, "session_hash": "x"}),
        ("queue/join", {"data": [], "session_hash": "x"}),
        ("call/nothing", {"data": []}), ("call/v2/nothing", {}),
    ]:  # fmt: skip
        answer = visitor.post(route, body)
        assert 400 <= answer.status_code < 500
        assert SENTENCE.fullmatch(answer.json()["detail"])
    answer = http.post(f"{demo.url}/gradio_api/upload", content=b"x")
    assert answer.status_code == 400
    assert SENTENCE.fullmatch(answer.text)


def test_a_stalled_upload_ends(tmp_path):
    start = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nab'
    allowance = Allowance(stall_seconds=0.1)
    gate = Gate(None, page=SimpleNamespace(vault=Vault(tmp_path, allowance)), allowance=allowance)
    scope = {
        "type": "http", "method": "POST", "path": "/gradio_api/upload", "query_string": b"",
        "headers": [(b"content-type", b"multipart/form-data; boundary=b")], "client": ("::1", 9),
    }  # fmt: skip
    arriving = [{"type": "http.request", "body": start, "more_body": True}]
    sent = []

    async def receive():
        if not arriving:
            await asyncio.sleep(60)
        return arriving.pop()

    async def send(message):
        sent.append(message)

    asyncio.run(gate(scope, receive, send))
    assert sent[0]["status"] == 408
    assert b"did not arrive in time" in sent[1]["body"]
    assert list(tmp_path.iterdir()) == []


def chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data)
    return len(data).to_bytes(4, "big") + kind + data + crc.to_bytes(4, "big")


def test_damaged_pictures_and_bombs_are_refused_in_words(demo, photo, tmp_path):
    path = tmp_path / "photo.png"
    photo.save(path)
    png = path.read_bytes()
    bomb = zlib.compress(bytes(80_000_000), 9)
    files = {
        "bomb.png": png[:33] + chunk(b"zTXt", b"a\0\0" + bomb) + png[33:],
        "chunk.png": png[:33] + chunk(b"IDAT", b"nonsense") + png[33:],
        "order.png": png[:8] + png[33:],
        "animation.png": png[:33] + chunk(b"acTL", b"\0\0") + png[33:],
        "half.bmp": b"BM" + bytes(40), "short.gif": b"GIF89a\1", "half.tif": b"II*\0" + bytes(9),
        "half.webp": b"RIFF\x10\0\0\0WEBPVP8 " + bytes(9), "text.ppm": b"P6 a b 255 ",
        "half.avif": b"\0\0\0\x1cftypavif" + bytes(60), "half.jpg": b"\xff\xd8\xff\xe0",
        "program.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
    }  # fmt: skip
    number = encode_number(demo)
    for name, data in files.items():
        visitor = Visitor(url=demo.url)
        (upload,) = visitor.upload(name, data).json()
        message = visitor.call(number, [{"path": upload, "meta": META}, *settings()])
        assert message["success"] is False, name
        text = message["output"]["error"]
        assert SENTENCE.fullmatch(text or ""), (name, text)
        assert str(demo.temporary) not in text


def test_a_folder_of_a_killed_run_is_removed(tmp_path):
    hold = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from app.cache import private_cache\n"
        "with private_cache() as folder: print(folder, flush=True); time.sleep(600)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(ROOT)], env=environment, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        folder = Path(holder.stdout.readline().strip())
        (folder / "left.png").write_text("left")
        cache.remove_abandoned(tmp_path)
        assert (folder / "left.png").exists()  # its run is alive
        holder.send_signal(signal.SIGKILL)
    kept = tmp_path / "pranc-demo-of-mine"
    kept.mkdir()  # no run's: there is no lock in it
    cache.remove_abandoned(tmp_path)
    assert not folder.exists()
    assert kept.exists()


def test_a_visitors_oldest_files_go_first(tmp_path):
    vault = Vault(tmp_path, Allowance(visitor_bytes=100, total_bytes=150))
    one, two = Asker(session="a", address="1"), Asker(session="b", address="2")
    paths = [Path(vault.write(bytes(40), "a.png", one)) for _ in range(3)]
    other = Path(vault.write(bytes(60), "b.png", two))
    assert [path.exists() for path in [*paths, other]] == [False, True, True, True]
    assert vault.has_room() is True
    vault.write(bytes(30), "b.png", two)
    assert vault.has_room() is False
    with pytest.raises(InvalidArgument, match="not a file of yours"):
        vault.path_for(vault.name_of(other), one)
    assert vault.path_for(vault.name_of(other), two) == other


def test_an_upload_belongs_to_who_uses_it_first(tmp_path):
    vault = Vault(tmp_path, Allowance())
    path = vault.new_folder() / "a.png"
    path.write_bytes(b"a")
    name = vault.admit(path, "1")
    assert vault.path_for(name, Asker(session="a", address="1")) == path
    with pytest.raises(InvalidArgument, match="not a file of yours"):
        vault.path_for(name, Asker(session="b", address="1"))


def test_old_files_are_deleted(tmp_path):
    vault = Vault(tmp_path, Allowance(keep_seconds=0))
    path = Path(vault.write(b"a", "a.png", Asker(session="a", address="1")))
    everybodys = Path(vault.publish(ROOT / "docs" / "demo.png"))
    time.sleep(0.01)
    vault.sweep()
    assert not path.parent.exists()
    assert everybodys.exists()


@pytest.mark.parametrize("name", ["../../x", "a/b\\c\0.png", "x" * 300 + ".png", "..", "", ".png"])
def test_names_are_cleaned(name):
    cleaned = clean(name)
    assert cleaned
    assert len(cleaned.encode()) <= 255
    assert cleaned == Path(cleaned).name
    assert not cleaned.startswith(".")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"), ("2001:db8::ffff:2", "2001:db8::/64"),
        (None, "unknown"), ("testclient", "testclient"),
    ],
)  # fmt: skip
def test_visitors_are_told_apart_by_address(host, address):
    assert visitors.address_of(host) == address
