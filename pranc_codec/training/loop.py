"""A training loop that can be interrupted, with Adam, a cosine schedule, averaged weights,
checkpoints and a log."""

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
    """Schedule of a training.

    seed: seed of the random numbers; use another one for a further round on the same photographs.
    learning_rate: peak rate. warmup: number of iterations until the peak. average: decay of the
    averaged weights per iteration. save_every_s: seconds between checkpoints. validate_every:
    iterations between validations.
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
    """The data, the loss and the validation of a training.

    draw: draws the random data of an iteration on the CPU; it is called in threads. loss_of:
    returns the loss of drawn data, on the network's device. validate: returns a line for the log.
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

    A second call with the same checkpoint resumes from it. data: a description of the training
    data and of the initial weights, in plain values. Raises InvalidArgument for a checkpoint with
    another schedule or description.
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
    """A log file, and the losses since its last line."""

    def __init__(self, path: Path, first: int) -> None:
        self.path, self.first = path, first
        self.started, self.losses = time.monotonic(), list[float]()

    def write(self, done: int, found: str) -> None:
        """Write a line: iterations, mean loss since the last line, validation, s per iteration."""
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
        """Take a step of Adam with clipped gradients, and update the averaged weights.

        The step is skipped if the gradients are not finite. keep: decay of the averaged weights.
        """
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
        """Read the checkpoint if there is one; return the number of finished iterations."""
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
    """Read the averaged weights of a checkpoint, on the CPU."""
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    weights: dict[str, Tensor] = state["average"]
    return weights


def drawn_ahead(
    draw: Callable[[torch.Generator], Tensors], schedule: Schedule, first: int, drawers: int
) -> Iterator[tuple[int, Tensors]]:
    """Yield each iteration from `first` on with its drawn data; `drawers` threads prefetch."""

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
    """Return the learning rate: a linear warm-up times a cosine that falls to zero."""
    cosine = (1 + math.cos(math.pi * iteration / schedule.iterations)) / 2
    return schedule.learning_rate * min(1.0, (iteration + 1) / schedule.warmup) * cosine


def _with(network: nn.Module, weights: dict[str, Tensor], use: Callable[[nn.Module], str]) -> str:
    """Call `use` on the network with other weights, then restore its own."""
    own = {name: p.detach().clone() for name, p in network.state_dict().items()}
    network.load_state_dict(weights)
    try:
        with torch.no_grad():
            return use(network)
    finally:
        network.load_state_dict(own)
