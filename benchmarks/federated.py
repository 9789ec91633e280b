"""Federated learning of LeNet on MNIST, where only coefficients are sent.

python benchmarks/federated.py PATH_OF_MNIST [--clients 4] [--rounds 5] [-k 1000]

The server and its clients are separate processes, which send each other model files as bytes. All
of them know one prior, a seeded network, and a file is a difference from it: a file for another
prior is refused. Weights are linear in the coefficients, so the mean of the clients' coefficients
gives the mean of their networks; the server checks this. The training images of MNIST are divided
equally among the clients.
"""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
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
"""The message that tells a client to end."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the server and its clients agree on before the first byte is sent."""

    data: Path
    clients: int
    iterations: int
    learning_rate: float = 0.1
    batch: int = 128


def shared_prior() -> dict[str, torch.Tensor]:
    """Return the prior that all processes know: the weights of a seeded network."""
    return Pranc(lenet(), coefficients=10, seed=2024).weights()


def receive(data: bytes) -> Pranc:
    """Read the network from the bytes of a model file."""
    return Pranc.from_bytes(data, lenet(), prior=shared_prior(), cache=True)


def train(network: Pranc, dataset: Dataset, setting: Setting, client: int, generator) -> None:
    """Train for some iterations on the client's own images."""
    own = torch.arange(client, len(dataset.train.labels), setting.clients)
    optimizer = torch.optim.Adam(network.parameters(), lr=setting.learning_rate)
    for _ in range(setting.iterations):
        chosen = own[torch.randint(len(own), (setting.batch,), generator=generator)]
        outputs = network(dataset.normalize(dataset.train.images[chosen]))
        loss = nn.functional.cross_entropy(outputs, dataset.train.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def client(number: int, server: Connection, setting: Setting) -> None:
    """Run a client: train each network that arrives and send it back."""
    torch.set_num_threads(1)
    dataset = load_dataset("mnist", setting.data)
    generator = torch.Generator().manual_seed(number)
    while (data := server.recv_bytes()) != STOP:
        network = receive(data)
        train(network, dataset, setting, number, generator)
        server.send_bytes(network.to_bytes())


@torch.no_grad()
def deviation_of_the_mean(networks: list[Pranc], mean: Pranc) -> float:
    """Return the largest difference between the mean network's weights and the mean weights."""
    all_weights = [network.weights() for network in networks]
    return max(
        float((torch.stack([w[name] for w in all_weights]).mean(0) - weight).abs().max())
        for name, weight in mean.weights().items()
    )


def one_round(shared: Pranc, clients: list[Connection]) -> tuple[int, int, float]:
    """Send the shared network, receive the clients' and average these into the shared one.

    Returns the bytes sent, the bytes received, and the result of `deviation_of_the_mean`.
    """
    message = shared.to_bytes()
    for connection in clients:
        connection.send_bytes(message)
    answers = [connection.recv_bytes() for connection in clients]
    networks = [receive(answer) for answer in answers]
    shared.set_coefficients(torch.stack([network.coefficients() for network in networks]).mean(0))
    up = sum(len(answer) for answer in answers)
    return len(message) * len(clients), up, deviation_of_the_mean(networks, shared)


@contextmanager
def running_clients(setting: Setting, *, processes: bool) -> Iterator[list[Connection]]:
    """Run clients until the block ends; yield the server's end of the connection to each."""
    context = multiprocessing.get_context("spawn")
    make = context.Process if processes else Thread
    ends = [context.Pipe() for _ in range(setting.clients)]
    clients = [
        make(target=client, args=(number, theirs, setting))
        for number, (_, theirs) in enumerate(ends)
    ]
    for one in clients:
        one.start()
    try:
        yield [ours for ours, _ in ends]
    finally:
        for (ours, _), one in zip(ends, clients, strict=True):
            ours.send_bytes(STOP)
            one.join()


def main(
    data: Path,
    clients: int = 4,
    rounds: int = 5,
    iterations: Annotated[int, typer.Option(help="Iterations per client and round.")] = 60,
    k: Annotated[int, typer.Option("-k", help="Number of coefficients.")] = 1000,
    processes: Annotated[
        bool, typer.Option(help="Run clients as processes, not as threads, which start faster.")
    ] = True,
) -> None:
    """Train LeNet together and print a table of the rounds."""
    torch.set_num_threads(1)
    setting = Setting(data=data, clients=clients, iterations=iterations)
    dataset = load_dataset("mnist", data)
    shared = Pranc(lenet(), coefficients=k, prior=shared_prior(), seed=1, cache=True)
    full = 2 * 4 * parameters_of(lenet()) * clients
    table = Table("round", "validation %", "bytes down", "bytes up", "full weights, both", "s")
    with running_clients(setting, processes=processes) as connections:
        for number in range(1, rounds + 1):
            started = time.perf_counter()
            down, up, deviation = one_round(shared, connections)
            reached = accuracy(shared, dataset, dataset.validation)
            seconds = time.perf_counter() - started
            table.add_row(
                str(number), f"{100 * reached:.2f}", f"{down:,}", f"{up:,}", f"{full:,}",
                f"{seconds:.0f}",
            )  # fmt: skip
    console = Console()
    console.print(table, f"mean of weights - weights of the mean: {deviation:.1e}", sep="\n")
    console.print(f"test images: {accuracy(shared, dataset, dataset.test):.2%}")


if __name__ == "__main__":
    typer.run(main)
