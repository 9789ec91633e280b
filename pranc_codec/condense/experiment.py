"""LeNet on MNIST: full training, PRANC at several k and bases, pruning at PRANC's bytes.

Each case is one JSON file, written when it is done; a case that was interrupted goes on from its
checkpoint. All train for the same number of epochs (a pruned network: the full training, and as
many again under its masks). Learning rate and quantization step are chosen on the validation
split; the test split is looked at once, by the network that the file's bytes give.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from pranc_codec.condense.data import Labelled, Splits
from pranc_codec.condense.networks import accuracy, lenet
from pranc_codec.condense.pruning import Masked, code, keep_within
from pranc_codec.errors import InvalidArgument
from pranc_codec.files import write_atomically
from pranc_codec.pranc import Pranc
from pranc_codec.training.loop import Schedule, train

Progress = Callable[[int, int, str], None]
STEPS: Final = (1 / 2, 1 / 4, 1 / 8, 1 / 16)
"""Quantization steps to choose from, in units of the root mean square."""
TOLERANCE: Final = 0.001
RATES: Final = {"full": (2e-3,), "hash": (0.03, 0.1), "dense": (0.03, 0.1), "pruned": (2e-3, 1e-2)}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured, and how long it is trained."""

    coefficients: Sequence[int] = (250, 1000, 4000)
    dense: Sequence[int] = (250,)
    epochs: float = 4
    batch: int = 128
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Result:
    """One point of the plot."""

    case: str
    method: str
    size_bytes: int
    test_accuracy: float
    validation_accuracy: float
    rate: float
    step: float | None
    coefficients: int | None
    epochs: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Coded:
    """A candidate: a network as a decoder gets it, from so many bytes."""

    size_bytes: int
    network: nn.Module
    step: float | None
    validation_accuracy: float
    rate: float


def run(splits: Splits, folder: Path, plan: Plan, progress: Progress) -> list[Result]:
    """All cases, in order; those whose JSON is there are read."""
    folder.mkdir(parents=True, exist_ok=True)
    plan_path = folder / "plan.json"
    text = json.dumps(asdict(plan), default=list)
    if plan_path.exists() and plan_path.read_text() != text:
        raise InvalidArgument(f"{folder} holds another experiment: {plan_path.read_text()}")
    plan_path.write_text(text)
    runner = Runner(splits=splits, folder=folder, plan=plan, progress=progress)
    return list(runner.results())


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Runs the cases of a plan in a folder."""

    splits: Splits
    folder: Path
    plan: Plan
    progress: Progress

    def results(self) -> Iterator[Result]:
        """Each case's result as soon as it is there."""
        yield self._result("full", "full", None, self._full)
        for basis, ks in (("hash", self.plan.coefficients), ("dense", self.plan.dense)):
            for k in ks:
                case = f"{basis}-{k}"
                result = self._result(case, basis, k, partial(self._pranc, basis, k))
                yield result
                if basis == "hash":
                    make = partial(self._pruned, k, result.size_bytes)
                    yield self._result(f"pruned-{k}", "pruned", None, make)

    def _result(self, case: str, method: str, k: int | None, make: Callable[[], Coded]) -> Result:
        path = self.folder / f"{case}.json"
        if not path.exists():
            coded = make()
            result = Result(
                case=case, method=method, size_bytes=coded.size_bytes, coefficients=k,
                test_accuracy=self._accuracy(coded.network, self.splits.test),
                validation_accuracy=coded.validation_accuracy, rate=coded.rate, step=coded.step,
                epochs=self.plan.epochs, seed=self.plan.seed,
            )  # fmt: skip
            with write_atomically(path) as file:
                file.write(json.dumps(asdict(result), indent=1).encode())
        return Result(**json.loads(path.read_text()))

    def _full(self) -> Coded:
        network, rate = self._best_rate("full", "full", self._fresh)
        size = 4 * sum(p.numel() for p in network.parameters())
        return self._coded(size, network, None, rate)

    def _pranc(self, basis: str, k: int) -> Coded:
        def make() -> nn.Module:
            return Pranc(lenet(), coefficients=k, seed=self.plan.seed, basis=basis, hold=True)

        network, rate = self._best_rate(f"{basis}-{k}", basis, make)
        assert isinstance(network, Pranc)
        deviation = float(network.coefficients().square().mean().sqrt())
        candidates = []
        for step in STEPS:
            data = network.to_bytes(step=step * deviation)
            again = Pranc.from_bytes(data, lenet(), hold=True)
            candidates.append(self._coded(len(data), again, step, rate))
        return smallest_good(candidates)

    def _pruned(self, k: int, budget_bytes: int) -> Coded:
        network, _ = self._best_rate("full", "full", self._fresh)
        weights = {name: p.detach() for name, p in network.named_parameters()}
        masks = keep_within(weights, budget_bytes, STEPS[-1])

        def make() -> nn.Module:
            again = lenet()
            again.load_state_dict(weights)
            return Masked(again, masks)

        tuned, rate = self._best_rate(f"pruned-{k}", "pruned", make)
        assert isinstance(tuned, Masked)
        kept = {name: p.detach() for name, p in tuned.network.named_parameters()}
        candidates = []
        for step in STEPS:
            pruned = code(kept, masks, step)
            again = lenet()
            again.load_state_dict(pruned.weights)
            candidates.append(self._coded(pruned.size_bytes, again, step, rate))
        return smallest_good(candidates)

    def _best_rate(
        self, case: str, method: str, make: Callable[[], nn.Module]
    ) -> tuple[nn.Module, float]:
        """The trained network whose learning rate does best on the validation split."""
        trained = [(self._train(case, rate, make()), rate) for rate in RATES[method]]
        return max(trained, key=lambda pair: self._accuracy(pair[0], self.splits.validation))

    def _train(self, case: str, rate: float, network: nn.Module) -> nn.Module:
        data, batch = self.splits.train, self.plan.batch
        steps = max(1, round(self.plan.epochs * len(data) / batch))

        def loss_of(generator: torch.Generator) -> Tensor:
            self.progress(generator.initial_seed() + 1, steps, f"{case}, rate {rate:g}")
            network.train()
            chosen = torch.randint(len(data), (batch,), generator=generator)
            outputs = network(data.images[chosen])
            return nn.functional.cross_entropy(outputs, data.labels[chosen])

        schedule = Schedule(
            steps=steps, learning_rate=rate, warmup=min(100, steps), average=0.99,
            save_every_s=30, validate_every=max(1, steps // 4),
        )  # fmt: skip
        checkpoint = self.folder / f"{case}-{rate:g}.pt"
        return train(network, loss_of, self._report, schedule, checkpoint)

    def _fresh(self) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.plan.seed)
            return lenet()

    def _report(self, network: nn.Module) -> str:
        return f"validation {self._accuracy(network, self.splits.validation):.4f}"

    def _coded(self, size: int, network: nn.Module, step: float | None, rate: float) -> Coded:
        found = self._accuracy(network, self.splits.validation)
        return Coded(
            size_bytes=size, network=network, step=step, validation_accuracy=found, rate=rate
        )

    def _accuracy(self, network: nn.Module, data: Labelled) -> float:
        with torch.no_grad():
            return accuracy(network, data.images, data.labels)


def smallest_good(candidates: Sequence[Coded]) -> Coded:
    """The fewest bytes within a tenth of a point of the best validation accuracy."""
    best = max(c.validation_accuracy for c in candidates)
    good = [c for c in candidates if c.validation_accuracy >= best - TOLERANCE]
    return min(good, key=lambda c: c.size_bytes)
