"""Measure units on a Dask cluster, whose workers may run on many machines.

    dask scheduler                                                    # on one machine
    OMP_NUM_THREADS=4 dask worker tcp://HOST:8786 --nthreads 1 --nworkers 8   # on each machine
    OMP_NUM_THREADS=4 dask worker tcp://HOST:8786 --nthreads 1 --resources "GPU=1"
    pranc evaluate IMAGES --scheduler tcp://HOST:8786 --resource GPU=1 ...

Every machine needs this package and must see the images under the same paths. The process that
started the run stores all results. A unit whose worker is lost is given to another worker.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from pranc_codec.errors import InvalidArgument, PrancError
from pranc_codec.evaluate.harness.measure import measure
from pranc_codec.evaluate.harness.workers import NumberedUnit, Outcome


def outcomes_on_cluster(
    units: Sequence[NumberedUnit],
    scheduler: str,
    *,
    retries: int = 2,
    resources: Mapping[str, float] | None = None,
) -> Generator[tuple[int, Outcome]]:
    """Measure numbered units on the cluster at this address, and yield outcomes as they arrive.

    retries: how often a unit that raises an exception is run again, possibly on another worker.
    resources: what a worker must have for a unit, and how much of it the unit occupies
    ({"GPU": 1}). Closing the generator cancels all units that have not finished.

    Raises InvalidArgument if no scheduler answers, if a worker runs several units in one process,
    or if no worker has the resources.
    """
    distributed = _distributed()
    with ExitStack() as stack:
        client = _connect(distributed, scheduler)
        stack.callback(client.close)
        _check_workers(client, resources or {})
        futures = {
            client.submit(
                measure, unit, pure=False, retries=retries, resources=dict(resources or {})
            ): number
            for number, unit in units
        }
        stack.callback(client.cancel, list(futures), force=True)
        for future in distributed.as_completed(list(futures), loop=client.loop):
            yield futures[future], _outcome(future)
            future.release()


def _outcome(future: Any) -> Outcome:
    error = future.exception()
    if error is not None:
        return f"{type(error).__name__}: {error}"
    outcome: Outcome = future.result()
    return outcome


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise PrancError(
            f"{error}: a scheduler needs pip install 'pranc-codec[dask]' (distributed)"
        ) from error
    return distributed


def _connect(distributed: Any, scheduler: str) -> Any:
    try:
        return distributed.Client(scheduler, timeout="20s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise InvalidArgument(
            f"no Dask scheduler answers at {scheduler} ({error}): expected tcp://HOST:PORT, "
            "as `dask scheduler` prints it"
        ) from error


def _check_workers(client: Any, resources: Mapping[str, float]) -> None:
    """Raise if units would share a process, or if no worker has the resources for them."""
    client.wait_for_workers(1, timeout=60)
    workers = client.scheduler_info(n_workers=-1)["workers"]
    shared = [address for address, worker in workers.items() if worker["nthreads"] != 1]
    if shared:
        raise InvalidArgument(
            f"{len(shared)} of {len(workers)} Dask workers run several units in one process "
            f"({shared[0]}), which mixes their memory and their seconds: start each with "
            "--nthreads 1 and its budget of threads in OMP_NUM_THREADS"
        )
    able = [
        worker
        for worker in workers.values()
        if all(worker["resources"].get(name, 0) >= value for name, value in resources.items())
    ]
    if not able:
        raise InvalidArgument(
            f"none of {len(workers)} Dask workers has {dict(resources)}: start some with "
            f'--resources "{" ".join(f"{n}={v:g}" for n, v in resources.items())}"'
        )
