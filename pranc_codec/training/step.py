"""Compute loss and gradients of one training iteration on the network's device.

The context model consists of thousands of small operations. On a GPU, launching them takes longer
than running them, so one iteration is recorded as a CUDA graph, which is then replayed.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Tensors = tuple[Tensor, ...]
"""The data that an iteration draws; its shapes are always the same."""
LossOf = Callable[[Tensors], Tensor]
WARM_UPS = 3
"""Number of iterations before a graph is recorded, in which cuDNN chooses its algorithms."""


def moved(tensors: Iterable[Tensor], device: torch.device) -> Tensors:
    """Move tensors to a device."""
    return tuple(t.to(device) for t in tensors)


def device_of_network(network: nn.Module) -> torch.device:
    """Return the device of the network's parameters."""
    return next(network.parameters()).device


def step_of(network: nn.Module, loss_of: LossOf) -> LossOf:
    """Return a function that computes the loss of drawn data and the network's gradients."""
    if device_of_network(network).type == "cuda":
        return RecordedStep(network, loss_of)

    def step(drawn: Tensors) -> Tensor:
        network.zero_grad()
        return _loss_and_gradients(loss_of, drawn)

    return step


class RecordedStep:
    """An iteration as a CUDA graph, which is recorded in the first call."""

    def __init__(self, network: nn.Module, loss_of: LossOf) -> None:
        self._network, self._loss_of = network, loss_of
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, drawn: Tensors) -> Tensor:
        if self._graph is None:
            self._record(moved(drawn, device_of_network(self._network)))
        assert self._graph is not None
        for ours, theirs in zip(self._drawn, drawn, strict=True):
            ours.copy_(theirs, non_blocking=True)
        self._graph.replay()
        return self._loss

    def _record(self, drawn: Tensors) -> None:
        """Record the graph. It reads `drawn` and writes loss and gradients in fixed memory."""
        device = device_of_network(self._network)
        with torch.cuda.device(device), _fastest_algorithms():
            self._drawn, beside = drawn, torch.cuda.Stream()  # type: ignore[no-untyped-call]
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                for _ in range(WARM_UPS):
                    self._network.zero_grad()
                    _loss_and_gradients(self._loss_of, drawn)
            torch.cuda.current_stream().wait_stream(beside)
            self._network.zero_grad()
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=beside):
                self._loss = _loss_and_gradients(self._loss_of, drawn)


@contextmanager
def _fastest_algorithms() -> Iterator[None]:
    """Let cuDNN try its algorithms for each shape and use the fastest."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _loss_and_gradients(loss_of: LossOf, drawn: Tensors) -> Tensor:
    loss = loss_of(drawn)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()
