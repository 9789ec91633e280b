"""Measure the seconds and the memory of a layer's weights and their gradient, for each basis.

python benchmarks/pranc_basis.py [--weights 36864] [--k 1370] [--threads 1]

The default is the largest layer of ResNet-20, with its share of 10,000 coefficients in proportion
to its weights. For comparison, the last rows store the whole matrix of the dense basis. Each figure
is the best of five. `cpu s` is the CPU time of all threads of the process, which other work on the
machine disturbs least.
"""

import time
from collections.abc import Callable

import torch
import typer
from rich.console import Console
from rich.table import Table

from pranc_codec.basis import make_basis
from pranc_codec.basis.dense import DenseBasis


def best(work: Callable[[], object]) -> tuple[float, float]:
    """Return the wall-clock seconds and the CPU seconds of the best of five calls."""
    walls, cpus = [], []
    for _ in range(5):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)


def stored(basis: DenseBasis) -> torch.Tensor:
    """Return the whole matrix, which PRANC's authors keep in memory."""
    blocks = basis.blocks(0, basis.weights, torch.device("cpu"), torch.float32)
    return torch.cat([block for *_, block in blocks]) / basis.coefficients**0.5


def main(weights: int = 36864, k: int = 1370, threads: int = 1) -> None:
    """Measure all bases, cached where they can be, and a stored matrix; print a table."""
    torch.set_num_threads(threads)
    coefficients, gradient = torch.randn(k), torch.randn(weights)
    table = Table("basis", "stored MiB", "product", "s", "cpu s", "ns a weight", "ns an entry")

    def row(name: str, mib: float, product: str, work: Callable[[], object], entries: int) -> None:
        wall, cpu = best(work)
        times = [f"{wall:.4f}", f"{cpu:.4f}", f"{cpu / weights * 1e9:.1f}"]
        table.add_row(name, f"{mib:.1f}", product, *times, f"{cpu / entries * 1e9:.2f}")

    kinds = (("hash", False), ("hash", True), ("dct", False), ("dct", True), ("dense", False))
    for name, cache in kinds:
        first = (weights // 9, 1, 3, 3) if weights >= 9 else (weights,)
        basis = make_basis(name, weights, k, seed=0, layer=0, cache=cache, first_shape=first)
        entries = weights * (k if name == "dense" else 1)
        label, mib = (f"{name}, cached", 12 * weights / 2**20) if cache else (name, 0)
        row(label, mib, "weights", lambda b=basis: b.expand(coefficients, 0, weights), entries)
        row(label, mib, "gradient", lambda b=basis: b.project(gradient, 0), entries)
    matrix = stored(DenseBasis(weights, k, seed=0, layer=0))
    mib = matrix.numel() * 4 / 2**20
    row("dense, stored", mib, "weights", lambda: matrix @ coefficients, matrix.numel())
    row("dense, stored", mib, "gradient", lambda: gradient @ matrix, matrix.numel())
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
