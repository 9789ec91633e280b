"""Peak memory and seconds of a ResNet-18 whose weights are generated, beside the plain network.

python benchmarks/pranc_resnet18.py [--batch 4] [--size 64] [--coefficients 20000]

11.2 million parameters, hash basis, batch normalization excluded. Two cases a network:

    train       forward and backward of a batch
    infer       a saved model is loaded and classifies a batch: plain from safetensors, PRANC from
                its own file onto a module on the meta device

Each case runs in its own process, on one thread; the peak is the resident set above that of the
imports (Linux), what malloc keeps included. At 4 images of 64x64 activations are some 10 MiB of it;
the rest is weights, gradients and convolutions' copies of them.
"""

import multiprocessing
import tempfile
import time
from pathlib import Path

import torch
import typer
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file, save_file
from torch import nn

from pranc_codec import Pranc, normalization
from pranc_codec.condense.models import resnet18
from pranc_codec.evaluate.harness import memory


def empty() -> nn.Module:
    """The architecture without memory for its weights."""
    with torch.device("meta"):
        return resnet18()


def condensed(coefficients: int) -> Pranc:
    """The PRANC network, made without ever holding the weights."""
    module = empty()
    network = Pranc(module, coefficients=coefficients, exclude=normalization(module), device="cpu")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.to_empty(device="cpu").reset_parameters()
    return network


def make(case: str, coefficients: int, folder: Path) -> nn.Module:
    """The network of a case: new to train, or from its file to classify."""
    kind, use = case.split()
    if use == "train":
        return resnet18() if kind == "plain" else condensed(coefficients)
    if kind == "pranc":
        return Pranc.load(folder / "model.prw", empty()).eval()
    network = empty()
    network.load_state_dict(load_file(folder / "model.safetensors"), assign=True)
    return network.eval()


def measure(
    case: str, batch: int, size: int, coefficients: int, folder: Path, queue: multiprocessing.Queue
) -> None:
    """Peak MiB, seconds to have the network, seconds of forward and of backward."""
    torch.set_num_threads(1)
    images = torch.randn(batch, 3, size, size)
    nn.Conv2d(3, 8, 3)(images).sum().backward()
    memory.reset_peak()
    before, start = memory.peak_bytes() or 0, time.perf_counter()
    network = make(case, coefficients, folder)
    ready = time.perf_counter()
    backward_s = 0.0
    with torch.set_grad_enabled("train" in case):
        for _ in range(2):  # the second counts
            start_forward = time.perf_counter()
            loss = network(images).square().mean()
            start_backward = time.perf_counter()
            if "train" in case:
                loss.backward()
                backward_s = time.perf_counter() - start_backward
    peak_mib = ((memory.peak_bytes() or 0) - before) / 2**20
    queue.put((peak_mib, ready - start, start_backward - start_forward, backward_s))


def main(batch: int = 4, size: int = 64, coefficients: int = 20000) -> None:
    """Measure both networks in training and in use."""
    console = Console()
    table = Table("case", "peak MiB", "made s", "forward s", "backward s")
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_file(resnet18().state_dict(), folder / "model.safetensors")
        network = condensed(coefficients)
        network.set_coefficients(torch.randn(coefficients))
        network.save(folder / "model.prw")
        for case in ("plain train", "pranc train", "plain infer", "pranc infer"):
            queue = context.Queue()
            options = (case, batch, size, coefficients, folder, queue)
            process = context.Process(target=measure, args=options)
            process.start()
            peak, *seconds = queue.get()
            process.join()
            table.add_row(case, f"{peak:.0f}", *(f"{s:.2f}" for s in seconds))
        files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    weights = sum(p.numel() for p in empty().parameters())
    console.print(f"{weights} parameters, {weights / 2**18:.0f} MiB; {network.counts}")
    console.print(table, files)


if __name__ == "__main__":
    typer.run(main)
