"""Federated learning of LeNet on MNIST in which only coefficients travel.

python benchmarks/federated.py PATH_OF_MNIST [--clients 4] [--rounds 5] [-k 1000]

A server and its clients are processes of their own; what they send each other are model files,
as bytes. All know one prior, a seeded network, and the files are deltas to it: a file for another
prior is refused. Weights are linear in the coefficients, so the mean of the clients' coefficients
is the mean of their networks, which the server checks. Every client has images
of its own, an equal part of MNIST's training images.
"""

import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import nn

from pranc_codec import Pranc
from pranc_codec.condense.datasets import Dataset, load_dataset
from pranc_codec.condense.models import lenet, parameters_of
from pranc_codec.condense.training import accuracy

STOP = b""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all processes agree on before the first byte is sent."""

    data: Path
    clients: int
    steps: int
    learning_rate: float = 0.1
    batch: int = 128


def shared_prior() -> dict[str, torch.Tensor]:
    """The model that everyone has: weights of a seeded network."""
    return Pranc(lenet(), coefficients=10, seed=2024).weights()


def receive(data: bytes) -> Pranc:
    return Pranc.from_bytes(data, lenet(), prior=shared_prior(), hold=True)


def train(network: Pranc, dataset: Dataset, setting: Setting, client: int, generator) -> None:
    """Some steps on the client's own images."""
    own = torch.arange(client, len(dataset.train.labels), setting.clients)
    optimizer = torch.optim.Adam(network.parameters(), lr=setting.learning_rate)
    for _ in range(setting.steps):
        chosen = own[torch.randint(len(own), (setting.batch,), generator=generator)]
        outputs = network(dataset.normalize(dataset.train.images[chosen]))
        loss = nn.functional.cross_entropy(outputs, dataset.train.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def client(number: int, server: Connection, setting: Setting) -> None:
    """A client's process: train what arrives, send it back."""
    torch.set_num_threads(1)
    dataset = load_dataset("mnist", setting.data)
    generator = torch.Generator().manual_seed(number)
    while (data := server.recv_bytes()) != STOP:
        network = receive(data)
        train(network, dataset, setting, number, generator)
        server.send_bytes(network.to_bytes())


@torch.no_grad()
def deviation_of_the_mean(networks: list[Pranc], mean: Pranc) -> float:
    """Largest distance of the mean network's weights from the mean of the networks' weights."""
    all_weights = [network.weights() for network in networks]
    return max(
        float((torch.stack([w[name] for w in all_weights]).mean(0) - weight).abs().max())
        for name, weight in mean.weights().items()
    )


def one_round(shared: Pranc, clients: list[Connection]) -> tuple[int, int, float]:
    """Send, receive, average: bytes down, bytes up, how far the mean is from a mean of weights."""
    message = shared.to_bytes()
    for connection in clients:
        connection.send_bytes(message)
    answers = [connection.recv_bytes() for connection in clients]
    networks = [receive(answer) for answer in answers]
    shared.set_coefficients(torch.stack([network.coefficients() for network in networks]).mean(0))
    up = sum(len(answer) for answer in answers)
    return len(message) * len(clients), up, deviation_of_the_mean(networks, shared)


def main(
    data: Path,
    clients: int = 4,
    rounds: int = 5,
    steps: int = 60,
    k: Annotated[int, typer.Option("-k", help="Coefficients.")] = 1000,
) -> None:
    """Train LeNet together."""
    torch.set_num_threads(1)
    setting = Setting(data=data, clients=clients, steps=steps)
    dataset, context = load_dataset("mnist", data), multiprocessing.get_context("spawn")
    ends = [context.Pipe() for _ in range(clients)]
    processes = [
        context.Process(target=client, args=(number, theirs, setting))
        for number, (_, theirs) in enumerate(ends)
    ]
    for process in processes:
        process.start()
    shared = Pranc(lenet(), coefficients=k, prior=shared_prior(), seed=1, hold=True)
    full = 2 * 4 * parameters_of(lenet()) * clients
    table = Table("round", "validation %", "bytes down", "bytes up", "full weights, both", "s")
    for number in range(1, rounds + 1):
        started = time.perf_counter()
        down, up, deviation = one_round(shared, [ours for ours, _ in ends])
        reached = accuracy(shared, dataset, dataset.validation)
        seconds = time.perf_counter() - started
        table.add_row(
            str(number), f"{100 * reached:.2f}", f"{down:,}", f"{up:,}", f"{full:,}",
            f"{seconds:.0f}",
        )  # fmt: skip
    for (ours, _), process in zip(ends, processes, strict=True):
        ours.send_bytes(STOP)
        process.join()
    console = Console()
    console.print(table, f"mean of weights - weights of the mean: {deviation:.1e}", sep="\n")
    console.print(f"test images: {accuracy(shared, dataset, dataset.test):.2%}")


if __name__ == "__main__":
    typer.run(main)
