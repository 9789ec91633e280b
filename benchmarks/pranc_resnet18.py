"""Compare peak memory and seconds of a ResNet-18 with generated weights and of the plain network.

python benchmarks/pranc_resnet18.py [--batch 4] [--size 64] [--coefficients 20000]

ResNet-18 has 11.2 million parameters. The basis is `hash`, and batch normalization is excluded.
Two cases are measured for each network:

    train       forward and backward pass of a batch
    infer       a saved model is loaded and classifies a batch; the plain network comes from
                safetensors, PRANC from its own file, onto a module on the meta device

Each case runs in its own process, on one thread. The peak is the largest resident set minus that
after the imports (Linux only); it includes memory that malloc keeps. For 4 images of 64x64 pixels,
about 10 MiB of it are activations; the rest is weights, gradients and the convolutions' copies of
them.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file, save_file
from torch import nn

from pranc_codec import Pranc, normalization
from pranc_codec.condense.models import MODELS, parameters_of
from pranc_codec.evaluate.harness import memory

CASES = ("plain train", "pranc train", "plain infer", "pranc infer")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The settings of a measurement, and the folder of the saved models."""

    network: str
    batch: int
    size: int
    coefficients: int
    folder: Path

    def empty(self) -> nn.Module:
        """Make the architecture without memory for its weights."""
        with torch.device("meta"):
            return MODELS[self.network]()

    def condensed(self) -> Pranc:
        """Make the PRANC network without ever having all its weights in memory."""
        module = self.empty()
        network = Pranc(
            module, coefficients=self.coefficients, exclude=normalization(module), device="cpu"
        )
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.to_empty(device="cpu").reset_parameters()
        return network

    def make(self, case: str) -> nn.Module:
        """Make the network of a case: a new one to train, or one from its file to classify."""
        kind, use = case.split()
        if use == "train":
            return MODELS[self.network]() if kind == "plain" else self.condensed()
        if kind == "pranc":
            return Pranc.load(self.folder / "model.prw", self.empty()).eval()
        network = self.empty()
        network.load_state_dict(load_file(self.folder / "model.safetensors"), assign=True)
        return network.eval()


def measure(case: str, setting: Setting, report: Callable[[tuple[float, ...]], None]) -> None:
    """Report peak MiB, seconds to make the network, seconds of forward and of backward."""
    torch.set_num_threads(1)
    images = torch.randn(setting.batch, 3, setting.size, setting.size)
    nn.Conv2d(3, 8, 3)(images).sum().backward()
    memory.reset_peak()
    before, start = memory.peak_bytes() or 0, time.perf_counter()
    network = setting.make(case)
    ready = time.perf_counter()
    backward_s = 0.0
    with torch.set_grad_enabled("train" in case):
        for _ in range(2):  # the second pass counts
            start_forward = time.perf_counter()
            loss = network(images).square().mean()
            start_backward = time.perf_counter()
            if "train" in case:
                loss.backward()
                backward_s = time.perf_counter() - start_backward
    peak_mib = ((memory.peak_bytes() or 0) - before) / 2**20
    report((peak_mib, ready - start, start_backward - start_forward, backward_s))


def measured(case: str, setting: Setting, *, processes: bool) -> tuple[float, ...]:
    """Return the report of `measure`, which runs in its own process or in this one."""
    if not processes:
        reports: list[tuple[float, ...]] = []
        measure(case, setting, reports.append)
        return reports[0]
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=measure, args=(case, setting, answers.put))
    process.start()
    found = answers.get()
    process.join()
    return found


def main(
    batch: int = 4,
    size: int = 64,
    coefficients: int = 20000,
    network: Annotated[str, typer.Option(help="resnet18 or resnet20.")] = "resnet18",
    processes: Annotated[
        bool, typer.Option(help="Use a process per case; else peaks include earlier cases.")
    ] = True,
) -> None:
    """Measure both networks in training and in use, and print a table."""
    console = Console()
    table = Table("case", "peak MiB", "made s", "forward s", "backward s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        setting = Setting(
            network=network, batch=batch, size=size, coefficients=coefficients, folder=folder
        )
        save_file(MODELS[network]().state_dict(), folder / "model.safetensors")
        condensed = setting.condensed()
        condensed.set_coefficients(torch.randn(coefficients))
        condensed.save(folder / "model.prw")
        for case in CASES:
            peak, *seconds = measured(case, setting, processes=processes)
            table.add_row(case, f"{peak:.0f}", *(f"{s:.2f}" for s in seconds))
        files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    weights = parameters_of(setting.empty())
    console.print(f"{weights} parameters, {weights / 2**18:.0f} MiB; {condensed.counts}")
    console.print(table, files)


if __name__ == "__main__":
    typer.run(main)
