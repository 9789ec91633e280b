"""A training loop that can be interrupted: Adam, cosine, averaged weights, checkpoints, a log."""

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pranc_codec.files import write_atomically
from pranc_codec.resume import check_settings
from pranc_codec.training.step import LossOf, Tensors, device_of_network, step_of


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Length and rates of a training.

    seed: of its random numbers; a further round on the same photographs takes another one.
    average: decay of the averaged weights, for each iteration.
    """

    iterations: int
    seed: int = 0
    learning_rate: float = 2e-3
    warmup: int = 100
    average: float = 0.998
    save_every_s: float = 120
    validate_every: int = 500


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """What is trained.

    draw: makes the random data of an iteration on the CPU; it is called in threads. loss_of: the
    loss of what was drawn, on the device of the network. validate: a network -> a line for the log.
    """

    draw: Callable[[torch.Generator], Tensors]
    loss_of: LossOf
    validate: Callable[[nn.Module], str]


def train(
    network: nn.Module,
    task: TrainingTask,
    schedule: Schedule,
    checkpoint: Path,
    data: Mapping[str, Any],
) -> nn.Module:
    """Minimize the loss of a task, and return the network with averaged weights.

    A second call with the same checkpoint resumes from it. data: what the training rests on, as
    plain values. Raises InvalidArgument for a checkpoint with another schedule or other data.
    """
    settings = asdict(schedule) | dict(data)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    state = _Training(network)
    first = state.resume(checkpoint, settings)
    log = _Log(checkpoint.with_suffix(".log"), first)
    saved = time.monotonic()
    every = min(schedule.validate_every, max(1, schedule.iterations // 10))
    loss_and_gradients = step_of(network, task.loss_of)
    drawers = 1 if device_of_network(network).type == "cpu" else os.cpu_count() or 1
    for iteration, drawn in drawn_ahead(task.draw, schedule, first, drawers):
        done = iteration + 1
        state.set_learning_rate(learning_rate(schedule, iteration))
        log.losses.append(float(loss_and_gradients(drawn)))
        state.step(min(schedule.average, done / (done + 9)))
        last = done == schedule.iterations
        if done % every == 0 or last:
            log.write(done, _with(network, state.average, task.validate))
        if time.monotonic() - saved > schedule.save_every_s or last:
            state.save(checkpoint, done, settings)
            saved = time.monotonic()
    network.load_state_dict(state.average)
    return network


class _Log:
    """Losses since the last line of a log file, and the lines."""

    def __init__(self, path: Path, first: int) -> None:
        self.path, self.first = path, first
        self.started, self.losses = time.monotonic(), list[float]()

    def write(self, done: int, found: str) -> None:
        """A line: iterations, mean loss since the last line, validation, seconds an iteration."""
        seconds = (time.monotonic() - self.started) / (done - self.first)
        loss = sum(self.losses) / len(self.losses)
        with self.path.open("a") as file:
            file.write(f"iteration {done} loss {loss:.5f} {found} {seconds:.3f} s\n")
        self.losses = []


class _Training:
    """A network with its optimizer and its averaged weights, as a checkpoint holds them."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.optimizer = torch.optim.Adam(network.parameters(), betas=(0.9, 0.99), eps=1e-10)
        self.average = {name: p.detach().clone() for name, p in network.state_dict().items()}

    def set_learning_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def step(self, keep: float) -> None:
        """One step of Adam with clipped gradients, which is left out if they are not finite; then
        the averaged weights keep this part of themselves."""
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        if math.isfinite(float(norm)):
            self.optimizer.step()
        now = self.network.state_dict()
        average = list(self.average.values())
        torch._foreach_lerp_(average, [now[name] for name in self.average], 1 - keep)

    def save(self, path: Path, done: int, settings: dict[str, Any]) -> None:
        """Write a checkpoint."""
        state = dict(
            network=self.network.state_dict(), optimizer=self.optimizer.state_dict(),
            average=self.average, iteration=done, settings=settings,
        )  # fmt: skip
        with write_atomically(path) as file:
            torch.save(state, file)

    def resume(self, path: Path, settings: dict[str, Any]) -> int:
        """Read a checkpoint, if there is one; returns the number of iterations that are done."""
        if not path.exists():
            return 0
        state = torch.load(path, weights_only=True, map_location="cpu")
        check_settings(path, state.get("settings", {}), settings)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name, value in self.average.items():
            value.copy_(state["average"][name])
        return int(state["iteration"])


def averaged_weights(checkpoint: Path) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint, on the CPU."""
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    weights: dict[str, Tensor] = state["average"]
    return weights


def drawn_ahead(
    draw: Callable[[torch.Generator], Tensors], schedule: Schedule, first: int, drawers: int
) -> Iterator[tuple[int, Tensors]]:
    """Each iteration from `first` on, and what it draws; `drawers` threads prefetch."""

    def drawn(iteration: int) -> tuple[int, Tensors]:
        seed = (schedule.seed << 32) + iteration
        return iteration, draw(torch.Generator().manual_seed(seed))

    iterations = iter(range(first, schedule.iterations))
    with ThreadPoolExecutor(drawers) as pool:
        ahead = deque(pool.submit(drawn, number) for number in islice(iterations, 2 * drawers))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(drawn, number) for number in islice(iterations, 1))


def learning_rate(schedule: Schedule, iteration: int) -> float:
    """Linear warm-up, then a cosine to zero."""
    cosine = (1 + math.cos(math.pi * iteration / schedule.iterations)) / 2
    return schedule.learning_rate * min(1.0, (iteration + 1) / schedule.warmup) * cosine


def _with(network: nn.Module, weights: dict[str, Tensor], use: Callable[[nn.Module], str]) -> str:
    """Use the network with other weights for a moment."""
    own = {name: p.detach().clone() for name, p in network.state_dict().items()}
    network.load_state_dict(weights)
    try:
        with torch.no_grad():
            return use(network)
    finally:
        network.load_state_dict(own)
