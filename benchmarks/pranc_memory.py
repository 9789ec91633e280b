"""Peak memory and seconds of a network whose weights are generated, beside the plain network.

python benchmarks/pranc_memory.py [--layers 12] [--width 1024]

Each case runs in its own process; peak is the resident set above that of the imports.
"""

import multiprocessing
import resource
import time

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import nn

from pranc_codec import Pranc


def build(layers: int, width: int) -> nn.Sequential:
    return nn.Sequential(*(m for _ in range(layers) for m in (nn.Linear(width, width), nn.ReLU())))


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(case: str, layers: int, width: int, queue: multiprocessing.Queue) -> None:
    torch.set_num_threads(1)
    x = torch.randn(8, width)
    nn.Linear(8, 8)(torch.randn(2, 8)).sum().backward()
    before = peak_mib()
    if case == "plain":
        network: nn.Module = build(layers, width)
    else:
        with torch.device("meta"):
            empty = build(layers, width)
        network = Pranc(empty, coefficients=layers * 100, basis="hash").to_empty(device="cpu")
        for parameter in network.parameters():
            nn.init.zeros_(parameter)
    for _ in range(2):
        start = time.perf_counter()
        network(x).sum().backward()
    queue.put((peak_mib() - before, time.perf_counter() - start))


def main(layers: int = 12, width: int = 1024) -> None:
    """Measure the plain network and the generated one."""
    weights = layers * (width + 1) * width
    table = Table("network", "weights MiB", "peak MiB", "forward + backward s")
    for case in ("plain", "pranc hash"):
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        process = context.Process(target=measure, args=(case, layers, width, queue))
        process.start()
        peak, seconds = queue.get()
        process.join()
        table.add_row(case, f"{weights / 2**18:.0f}", f"{peak:.0f}", f"{seconds:.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
