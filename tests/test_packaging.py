"""The sdist and the wheel, tried in an environment of their own: import, command, types."""

import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
NO_PYTHONPATH = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
"""The package is found only where it is installed."""
CONSUMER = """
from PIL import Image

import pranc_codec

data: bytes = pranc_codec.encode("photo.png", bpp=0.5, effort="fast")
image: Image.Image = pranc_codec.decode(data, reduce=1)
pixels: int = pranc_codec.inspect(data).pixels
seconds: float = pranc_codec.estimate_seconds(pixels)
"""


def run(*command: str | Path, **options) -> str:
    """What a command prints."""
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=NO_PYTHONPATH, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, kind: str, folder: Path) -> Path:
    """An sdist or a wheel."""
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder, cwd=source)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """A new environment with the wheel, which is built from the sdist.

    What the wheel depends on is taken from the environment of the tests, so that nothing is
    downloaded; its editable installation of the package is not seen there."""
    folder = tmp_path_factory.mktemp("packaging")
    with tarfile.open(build(ROOT, "sdist", folder / "sdist")) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    wheel = build(source, "wheel", folder / "wheel")
    venv.create(folder / "env", symlinks=os.name != "nt")
    python = folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site, own = (Path(run(p, "-c", script).strip()) for p in (python, sys.executable))
    (site / "dependencies.pth").write_text(f"{own}\n")
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index",
        "--ignore-installed", "--disable-pip-version-check", wheel,
    )  # fmt: skip
    return python.parent


def test_an_image_goes_through_the_installed_command(environment, tmp_path):
    x = np.linspace(0, 255, 48)
    image = np.stack([np.add.outer(x, x) / 2] * 3, -1).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "photo.png")
    pranc, outside = environment / "pranc", dict(cwd=tmp_path)
    where = run(
        environment / "python", "-c", "import pranc_codec as p; print(p.__file__)", **outside
    )
    assert Path(where.strip()).is_relative_to(environment.parent)
    assert run(pranc, "--version", **outside).startswith("pranc_codec 0.2.0")
    run(pranc, "encode", "photo.png", "--effort", "0", **outside)
    run(pranc, "decode", "photo.pranc", "-o", "back.png", **outside)
    back = np.asarray(Image.open(tmp_path / "back.png")).astype(int)
    assert np.abs(back - image).mean() < 3
    assert "--browser" in run(pranc, "demo", "--help", **outside)


def test_a_consumer_is_type_checked(environment, tmp_path):
    """The right lines pass, and a wrong one is found. The cache is that of `make test`."""
    (tmp_path / "consumer.py").write_text(CONSUMER + "wrong: int = pranc_codec.decode(data)\n")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"),
         "--cache-dir", str(ROOT / ".mypy_cache"),
         "--python-executable", str(environment / "python"), "consumer.py"],
        cwd=tmp_path, capture_output=True, text=True, env=NO_PYTHONPATH,
    )  # fmt: skip
    found, total = checked.stdout.strip().splitlines()
    assert found.startswith(
        f"consumer.py:{len(CONSUMER.splitlines()) + 1}: error: Incompatible types"
    )
    assert total.startswith("Found 1 error")
