"""Loss and gradients of a training step, on whatever device the network is on.

The context model consists of thousands of small operations. On a GPU their launches take longer
than they do, so there one step is recorded as a CUDA graph, and the graph is launched.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Tensors = tuple[Tensor, ...]
"""What a step draws: always of the same shapes."""
LossOf = Callable[[Tensors], Tensor]
WARM_UPS = 3
"""Before a graph is recorded; cuDNN chooses its algorithms in them."""


def moved(tensors: Iterable[Tensor], device: torch.device) -> Tensors:
    """Tensors on a device."""
    return tuple(t.to(device) for t in tensors)


def device_of_network(network: nn.Module) -> torch.device:
    """That of the network's parameters."""
    return next(network.parameters()).device


def step_of(network: nn.Module, loss_of: LossOf) -> LossOf:
    """The loss of what was drawn, whose gradients are left with the network's parameters."""
    if device_of_network(network).type == "cuda":
        return RecordedStep(network, loss_of)

    def step(drawn: Tensors) -> Tensor:
        network.zero_grad()
        return _loss_and_gradients(loss_of, drawn)

    return step


class RecordedStep:
    """A step as a CUDA graph, which is recorded when it is first called."""

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
        """The graph reads `drawn`, and writes the loss and the gradients where it first did."""
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
    """cuDNN tries its algorithms for each shape, and keeps the fastest."""
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
