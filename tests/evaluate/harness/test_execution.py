"""Runs that are stopped, split, or measured on a cluster: every result once, and the same."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from skimage import data as skimage_data
from typer.testing import CliRunner

import pranc_codec.evaluate
from pranc_codec.commands.cli import app
from pranc_codec.errors import InvalidArgument, PrancError
from pranc_codec.evaluate import Execution, Result, Sweep, evaluate, evaluate_all, find_codec
from pranc_codec.evaluate.harness.cluster import outcomes_on_cluster
from pranc_codec.evaluate.harness.folder import Folder
from tests.evaluate.distribution import announce_codecs
from tests.evaluate.harness.odd_codecs import JPEG, ROOT, SLOW

MEASURED_ANEW = ("encode_s", "decode_s", "peak_memory_bytes", "threads")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two photographs, of which one is large enough for MS-SSIM."""
    folder = tmp_path_factory.mktemp("images")
    for name, size in (("astronaut", (170, 164)), ("coffee", (60, 44))):
        image = Image.fromarray(getattr(skimage_data, name)())
        image.resize(size).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def slow_codec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a distribution that announces the codec `slow`, to this process too."""
    folder = tmp_path_factory.mktemp("distribution")
    announce_codecs(folder, slow="tests.evaluate.harness.odd_codecs:SLOW")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder


def facts(results: list[Result]) -> list[dict[str, Any]]:
    """Results without what differs from run to run."""
    return [
        {key: value for key, value in asdict(result).items() if key not in MEASURED_ANEW}
        for result in results
    ]


def arguments(images: Path, results: Path) -> list[str]:
    """`pranc evaluate` of 100 units in two workers."""
    points = "/".join(str(quality) for quality in range(1, 101))
    codec = ["--codec", f"slow:quality={points}", "--jobs", "2"]
    return ["evaluate", str(images), *codec, "--results", str(results)]


def start(images: Path, results: Path, distribution: Path) -> subprocess.Popen[bytes]:
    """The command in a process of its own, at a tenth of a second for each unit."""
    path = os.pathsep.join([str(distribution), str(ROOT)])
    return subprocess.Popen(
        [sys.executable, "-m", "pranc_codec", *arguments(images, results)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path, "ENCODING_DELAY_S": "0.1"},
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # shells may ignore it
    )  # fmt: skip


def stored(results: Path) -> dict[str, tuple[int, bytes]]:
    """Stored results and when they were written."""
    paths = (results / "units").glob("*.json")
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def stop_in_mid_run(
    process: subprocess.Popen[bytes], results: Path, number: signal.Signals
) -> None:
    """Signal a run once it has stored five more results; neither it nor its workers go on."""
    units = results / "units"
    enough = len(list(units.glob("*.json"))) + 5
    while len(list(units.glob("*.json"))) < enough:
        assert process.poll() is None, "the run was over before it could be stopped"
        time.sleep(0.02)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.send_signal(number)
    process.wait(timeout=120)
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert not alive


@pytest.mark.usefixtures("in_this_process")
def test_stopped_runs_lose_nothing_and_double_nothing(
    images: Path, tmp_path: Path, slow_codec: Path
) -> None:
    (images / "small").mkdir()
    shutil.copy(images / "coffee.png", images / "small")
    process = start(images / "small", tmp_path, slow_codec)
    stop_in_mid_run(process, tmp_path, signal.SIGINT)
    assert process.returncode == 130
    first = stored(tmp_path)
    process = start(images / "small", tmp_path, slow_codec)
    stop_in_mid_run(process, tmp_path, signal.SIGKILL)
    second = stored(tmp_path)
    assert CliRunner().invoke(app, arguments(images / "small", tmp_path)).exit_code == 0
    last = stored(tmp_path)
    assert len(first) < len(second) < len(last) == 100
    assert first.items() <= second.items() <= last.items()
    assert all(json.loads(text)["codec"] == "slow" for _, text in last.values())
    assert len(json.loads((tmp_path / "slow.json").read_text())["meta"]["points"]) == 100


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[int]]]:
    """A Dask cluster of two worker processes, as a user starts it: address, their numbers."""
    folder = tmp_path_factory.mktemp("dask")
    dask = [sys.executable, "-m", "dask"]
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "ENCODING_DELAY_S": "0.05",
    }  # fmt: skip
    log = (folder / "log").open("wb")
    scheduler = subprocess.Popen(
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show",
         "--scheduler-file", folder / "scheduler.json"], stdout=log, stderr=log,
    )  # fmt: skip
    workers = subprocess.Popen(
        [*dask, "worker", "--scheduler-file", folder / "scheduler.json", "--nworkers", "2",
         "--nthreads", "1", "--no-dashboard", "--resources", "GPU=1", "--local-directory", folder],
        stdout=log, stderr=log, env=environment,
    )  # fmt: skip
    try:
        address = address_in(folder / "scheduler.json")
        yield address, workers_of(address)
    finally:
        for process in (workers, scheduler):
            family = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            process.wait(timeout=120)
            psutil.wait_procs(family, timeout=30)
        log.close()


def address_in(path: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.exists() and path.read_text().endswith("}"):
            return str(json.loads(path.read_text())["address"])
        time.sleep(0.1)
    raise TimeoutError("the scheduler did not start")


def workers_of(address: str) -> list[int]:
    """Process numbers of both workers, once they are there."""
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        return sorted(client.run(os.getpid).values())


@pytest.mark.usefixtures("in_this_process")
def test_a_cluster_that_loses_a_worker_measures_everything_once(
    images: Path, tmp_path: Path, cluster: tuple[str, list[int]]
) -> None:
    address, workers = cluster
    sweep = Sweep(codec=SLOW, points=tuple(range(1, 9)))
    seen: list[Result] = []

    def kill_a_worker(done: int, total: int, result: Result) -> None:
        seen.append(result)
        if done == 5:
            os.kill(workers[0], signal.SIGKILL)

    (found,) = evaluate_all(
        images, [sweep], results=tmp_path / "cluster", progress=kill_a_worker,
        execution=Execution(scheduler=address, resources={"GPU": 1}),
    )  # fmt: skip
    assert not psutil.pid_exists(workers[0])
    assert len(seen) == len(found) == 16
    assert len(list((tmp_path / "cluster").iterdir())) == 16
    assert {result.threads for result in found} == {1}
    alone = evaluate(images, codec=SLOW, points=sweep.points, results=tmp_path / "alone")
    assert facts(found) == facts(alone)


def test_clusters_that_cannot_measure_are_refused(cluster: tuple[str, list[int]]) -> None:
    with pytest.raises(InvalidArgument, match=r"Dask workers has {'TPU': 1}: start some with"):
        list(outcomes_on_cluster([], cluster[0], resources={"TPU": 1}))
    with pytest.raises(InvalidArgument, match="expected tcp://HOST:PORT"):
        list(outcomes_on_cluster([], "nonsense://1"))


def test_units_that_fail_on_a_cluster_are_named(
    images: Path, tmp_path: Path, cluster: tuple[str, list[int]]
) -> None:
    execution = Execution(scheduler=cluster[0], retries=1)
    with pytest.raises(PrancError, match=r"2 of 4 units failed.*\n.*quality=0: InvalidArgument"):
        evaluate_all(
            images, [Sweep(codec=JPEG, points=(0, 50))], results=tmp_path, execution=execution
        )
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.usefixtures("in_this_process")
def test_shards_are_the_whole_and_share_nothing(images: Path, tmp_path: Path) -> None:
    sweeps = [Sweep(codec=JPEG, points=(10, 50, 90)), Sweep(codec=find_codec("webp"), points=(50,))]
    parts = [
        evaluate_all(images, sweeps, results=tmp_path, execution=Execution(shard=(i, 3)))
        for i in (1, 2, 3)
    ]
    assert [sum(map(len, part)) for part in parts] == [3, 3, 2]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    whole = evaluate_all(images, sweeps, results=tmp_path)
    assert [len(found) for found in whole] == [6, 2]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    for shard in ((0, 3), (4, 3)):
        with pytest.raises(InvalidArgument, match="one of 1..3"):
            Execution(shard=shard)


@pytest.mark.usefixtures("in_this_process")
def test_results_lie_behind_any_url(images: Path, tmp_path: Path) -> None:
    """Also on a file system that has no renaming of its own: fsspec's in memory."""
    url = f"memory://{tmp_path.name}/run"
    first = evaluate(images, codec=JPEG, points=[30], results=url, keep_files=True)
    folder = Folder(url)
    assert sorted(re.sub(r"-\w{12}\.", ".", name) for name in folder.names()) == [
        f"{image}-jpeg-420-quality=30.{suffix}"
        for image in ("astronaut", "coffee") for suffix in ("jpg", "json")
    ]  # fmt: skip
    done: list[int] = []
    again = evaluate(
        images, codec=JPEG, points=[30], results=url, progress=lambda n, total, _: done.append(n)
    )
    assert again == first
    assert facts(evaluate(images, codec=JPEG, points=[30], results=tmp_path)) == facts(first)


@pytest.mark.usefixtures("in_this_process")
def test_the_former_names_of_execution_warn_and_work(images: Path, tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match="Machines is now called Execution"):
        from pranc_codec.evaluate import Machines
    assert Machines is Execution
    sweeps = [Sweep(codec=JPEG, points=(50,))]
    with pytest.warns(DeprecationWarning, match="machines= is now called execution="):
        (found,) = evaluate_all(images, sweeps, results=tmp_path, machines=Machines(shard=(2, 2)))
    assert [result.image for result in found] == ["coffee"]
    with pytest.raises(AttributeError, match="no attribute 'Machine'"):
        pranc_codec.evaluate.Machine  # noqa: B018
