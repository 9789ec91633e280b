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
    """Length and rates of a training. seed: of its random numbers; a further round on the same
    photographs takes another one."""

    steps: int
    seed: int = 0
    learning_rate: float = 2e-3
    warmup: int = 100
    average: float = 0.998
    save_every_s: float = 120
    validate_every: int = 500


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is trained. draw: what a step's random numbers give, on the CPU, called in threads;
    loss_of: of that, on the network's device; validate: the network, as a line for the log."""

    draw: Callable[[torch.Generator], Tensors]
    loss_of: LossOf
    validate: Callable[[nn.Module], str]


def train(
    network: nn.Module, task: Task, schedule: Schedule, checkpoint: Path, data: Mapping[str, Any]
) -> nn.Module:
    """Minimize the task's loss; a second call with the same checkpoint goes on from there. data:
    what the training rests on, as plain values; a checkpoint with another schedule or other data is
    refused. Returns the network with averaged weights."""
    settings = asdict(schedule) | dict(data)
    optimizer = torch.optim.Adam(network.parameters(), betas=(0.9, 0.99), eps=1e-10)
    average = {name: p.detach().clone() for name, p in network.state_dict().items()}
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    first = _resume(checkpoint, network, optimizer, average, settings)
    saved, recent, log = time.monotonic(), [], checkpoint.with_suffix(".log")
    started = time.monotonic()
    every = min(schedule.validate_every, max(1, schedule.steps // 10))
    loss_and_gradients = step_of(network, task.loss_of)
    drawers = 1 if device_of_network(network).type == "cpu" else os.cpu_count() or 1
    for step, drawn in drawn_ahead(task.draw, schedule, first, drawers):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(schedule, step)
        loss = loss_and_gradients(drawn)
        norm = nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        if math.isfinite(float(norm)):
            optimizer.step()
        _average(average, network, min(schedule.average, (step + 1) / (step + 10)))
        recent.append(float(loss))
        if (step + 1) % every == 0 or step + 1 == schedule.steps:
            found = _with(network, average, task.validate)
            seconds = (time.monotonic() - started) / (step + 1 - first)
            line = f"step {step + 1} loss {sum(recent) / len(recent):.5f} {found} {seconds:.3f} s"
            with log.open("a") as file:
                file.write(line + "\n")
            recent = []
        if time.monotonic() - saved > schedule.save_every_s or step + 1 == schedule.steps:
            _save(checkpoint, network, optimizer, average, step + 1, settings)
            saved = time.monotonic()
    network.load_state_dict(average)
    return network


def averaged_weights(checkpoint: Path) -> dict[str, Tensor]:
    """Of a training, on the CPU."""
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    weights: dict[str, Tensor] = state["average"]
    return weights


def drawn_ahead(
    draw: Callable[[torch.Generator], Tensors], schedule: Schedule, first: int, drawers: int
) -> Iterator[tuple[int, Tensors]]:
    """Each step from `first` on, and what it draws; so many threads draw for the next ones."""

    def drawn(step: int) -> tuple[int, Tensors]:
        return step, draw(torch.Generator().manual_seed((schedule.seed << 32) + step))

    steps = iter(range(first, schedule.steps))
    with ThreadPoolExecutor(drawers) as pool:
        ahead = deque(pool.submit(drawn, step) for step in islice(steps, 2 * drawers))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(drawn, step) for step in islice(steps, 1))


def learning_rate(schedule: Schedule, step: int) -> float:
    """Linear warm-up, then a cosine to zero."""
    cosine = (1 + math.cos(math.pi * step / schedule.steps)) / 2
    return schedule.learning_rate * min(1.0, (step + 1) / schedule.warmup) * cosine


def _average(average: dict[str, Tensor], network: nn.Module, keep: float) -> None:
    now = network.state_dict()
    torch._foreach_lerp_(list(average.values()), [now[name] for name in average], 1 - keep)


def _with(network: nn.Module, weights: dict[str, Tensor], use: Callable[[nn.Module], str]) -> str:
    """Use the network with other weights for a moment."""
    own = {name: p.detach().clone() for name, p in network.state_dict().items()}
    network.load_state_dict(weights)
    try:
        with torch.no_grad():
            return use(network)
    finally:
        network.load_state_dict(own)


def _save(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor], step: int, settings: dict[str, Any],
) -> None:  # fmt: skip
    state = dict(
        network=network.state_dict(), optimizer=optimizer.state_dict(), average=average, step=step,
        settings=settings,
    )  # fmt: skip
    with write_atomically(path) as file:
        torch.save(state, file)


def _resume(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor], settings: dict[str, Any],
) -> int:  # fmt: skip
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True, map_location="cpu")
    check_settings(path, state.get("settings", {}), settings)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    for name, value in average.items():
        value.copy_(state["average"][name])
    return int(state["step"])
