"""The demo from an installed wheel: it serves, phones nobody, and leaves nothing behind."""

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.app.server import ROOT, running_demo

gradio_client = pytest.importorskip("gradio_client")

WATCH = '''
import sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[1][0] if event == "socket.connect" else arguments[0]
        if host not in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "", None):
            with open({log!r}, "a") as file:
                print(event, host, file=file)

sys.addaudithook(watch)
'''  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A wheel, unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_carries_no_package_of_a_common_name(installed):
    assert {path.name for path in installed.iterdir()} == {
        "pranc_codec", next(installed.glob("*.dist-info")).name,
    }  # fmt: skip


def test_the_wheel_works_without_being_unpacked(installed, tmp_path):
    (wheel,) = installed.parent.glob("*.whl")
    script = (
        "import numpy, pranc_codec; assert '.whl' in pranc_codec.__file__; "
        "data = pranc_codec.encode(numpy.zeros((16, 9, 3), 'uint8'), effort=0); "
        "assert pranc_codec.decode(data).size == (9, 16)"
    )
    subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": str(wheel)}, check=True
    )


def test_it_serves_phones_nobody_and_leaves_nothing(installed, grid_file, tmp_path):
    watched = tmp_path / "watched.txt"
    (installed / "sitecustomize.py").write_text(WATCH.format(log=str(watched)))
    environment = {"PYTHONPATH": str(installed), "PWD": str(tmp_path)}
    file = tmp_path / "photo.pranc"
    file.write_bytes(grid_file)
    command = ("-m", "pranc_codec", "demo")
    with running_demo(tmp_path / "demo", command, **environment) as demo:
        client = gradio_client.Client(demo.url, verbose=False)
        _, header, *_ = client.predict(gradio_client.handle_file(file), api_name="/decode")
        assert "96 x 64" in header
        assert (
            "JPEG 4:2:0"
            in client.predict("kodim01", ["results/jpeg-420"], api_name="/kodak")["plot"]
        )
        assert any(path.name == "photo.pranc" for path in demo.files())
    assert demo.files() == []
    assert not watched.exists(), watched.read_text()
    where = subprocess.run(
        [sys.executable, "-c", "import pranc_codec; print(pranc_codec.__file__)"],
        cwd=tmp_path, env={"PYTHONPATH": str(installed)}, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(installed)


BLOCK = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")

sys.meta_path.insert(0, Refuse())
import {module}
"""


def installed_with(site: Path, extra: str) -> set[str]:
    """Names of the distributions that pip installs with an extra of the wheel."""
    (own,) = metadata.distributions(path=[str(site)])
    found: set[str] = set()
    waiting = [(line, {extra, ""}) for line in own.requires or []]
    while waiting:
        line, extras = waiting.pop()
        requirement = Requirement(line)
        marker, name = requirement.marker, canonicalize_name(requirement.name)
        if marker and not any(marker.evaluate({"extra": e}) for e in extras):
            continue
        if name not in found:
            found.add(name)
            wanted = set(requirement.extras) | {""}
            waiting += [(r, wanted) for r in metadata.requires(name) or []]
    return found


@pytest.mark.parametrize(
    ("extra", "module"),
    [
        ("", "pranc_codec.commands.cli"),
        ("app", "pranc_codec._app.page"),
        ("eval", "pranc_codec.evaluate.report.compare"),
        ("eval", "pranc_codec.condense.command"),
    ],
)
def test_extras_bring_what_their_modules_import(installed, extra, module):
    brought = installed_with(installed, extra)
    blocked = {
        name
        for name, owners in metadata.packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & (brought | {"pranc-codec"})
    }
    assert "scipy" in blocked or extra  # something is kept out
    script = BLOCK.format(blocked=blocked, module=module)
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(installed), "PATH": ""},
        cwd=installed, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
