"""One experiment: full training, PRANC at several k and bases, pruning at the files' sizes.

Every choice is made on validation images. A result is written once, after the test images were
seen once, and is not made again; trainings go on from their checkpoints.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from pranc_codec.condense.datasets import Dataset
from pranc_codec.condense.models import parameters_of
from pranc_codec.condense.pruning import (
    density_at,
    largest_density,
    pack_buffers,
    pack_weights,
    prune,
    unpack_pruned,
)
from pranc_codec.condense.statistics import measure_statistics
from pranc_codec.condense.tasks import Task
from pranc_codec.condense.training import Progress, Training, accuracy, adam, momentum, predict
from pranc_codec.errors import InvalidArgument
from pranc_codec.files import sha256_of, write_atomically
from pranc_codec.pranc.file import default_step
from pranc_codec.pranc.model import Pranc
from pranc_codec.pranc.module_tensors import normalization
from pranc_codec.resume import check_settings

STEPS_PER_DEVIATION: Final = (2, 3, 4, 6, 8, 16, 32)
TOLERANCE: Final = 0.001
"""How much validation accuracy a coarser quantization may cost."""
METHOD: Final = {"statistics": "measured"}
"""How files come of trained networks; results of another way are not taken for ours."""
SEED: Final = 0


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A task on its data, and the folder of its checkpoints, files and results.

    start: a file whose coefficients a training goes on from; of the same basis and k.
    teacher: a file as `full` writes it, of a network whose outputs coefficients learn too.
    """

    task: Task
    dataset: Dataset
    folder: Path
    progress: Callable[[str], Progress]
    device: torch.device = torch.device("cpu")
    start: Path | None = None
    teacher: Path | None = None

    def full(self) -> nn.Module:
        """The plain network, trained, and its file."""
        torch.manual_seed(SEED)
        network, recipe = self._new(), self.task.full
        training = Training(network, momentum(network, recipe), self.dataset, recipe)
        if self._is_done("full", training):
            return self._read_plain(self._full_file)
        history = training.run(self.folder / "full.pt", self.progress("full training"))
        measure_statistics(network, self.dataset)
        data = save(network.state_dict())
        with write_atomically(self._full_file) as file:
            file.write(data)
        self._report("full", network, len(data), training, history=history)
        return network

    def pranc(self, basis: str, k: int) -> int:
        """Coefficients, trained; their file's bytes."""
        name = f"{basis}-{k}"
        path, network = self.folder / f"{name}.prw", self.new_pranc(basis, k)
        training = self.training_of(network)
        if not self._is_done(name, training):
            history = training.run(self.folder / f"{name}.pt", self.progress(f"{basis} {k}"))
            data, steps = self._coarsest(network)
            with write_atomically(path) as file:
                file.write(data)
            counts = asdict(network.counts) | dict(total=network.counts.total)
            self._report(
                name, self._read(data), len(data), training, history=history, counts=counts,
                steps_per_deviation=steps, basis=basis,
            )  # fmt: skip
        return path.stat().st_size

    def training_of(self, network: Pranc) -> Training:
        """The training of a network's coefficients, at its first step."""
        recipe = self.task.coefficients
        return Training(
            network, adam(network, recipe), self.dataset, recipe, self._read_teacher(),
            self._sources(),
        )  # fmt: skip

    def new_pranc(self, basis: str, k: int) -> Pranc:
        """The network before training: all but normalization is generated."""
        module = self.task.build()
        if self.start is None:
            return Pranc(
                module, coefficients=k, seed=SEED, basis=basis, exclude=normalization(module),
                cache=True, device=self.device,
            )  # fmt: skip
        found = self._read(self.start.read_bytes())
        if (found.basis, found.counts.coefficients) != (basis, k):
            raise InvalidArgument(
                f"{self.start} has {found.counts.coefficients} coefficients of basis "
                f"{found.basis}, asked for are {k} of {basis}"
            )
        return found

    def _sources(self) -> dict[str, str]:
        """SHA-256 of the files that trainings of coefficients rest on."""
        files = dict(start=self.start, teacher=self.teacher)
        return {name: sha256_of(path) for name, path in files.items() if path is not None}

    def _read_teacher(self) -> nn.Module | None:
        return None if self.teacher is None else self._read_plain(self.teacher)

    def _read_plain(self, path: Path) -> nn.Module:
        """The plain network of a file as `full` writes it."""
        network = self._new()
        try:
            network.load_state_dict(load(path.read_bytes()))
        except (SafetensorError, RuntimeError) as error:
            raise InvalidArgument(
                f"{path} is no state dict of a {self.task.network} in safetensors: {error}"
            ) from error
        return network

    def pruned(self, target_bytes: int) -> None:
        """The plain network, pruned while it is trained on, in at most so many bytes if it fits."""
        name, recipe = f"pruned-{target_bytes}", self.task.tune
        network = self.full()
        training = Training(
            network, momentum(network, recipe), self.dataset, recipe,
            sources=dict(full=sha256_of(self._full_file)),
        )  # fmt: skip
        if self._is_done(name, training):
            return
        density = largest_density(network, 4, target_bytes)
        if density == 0:  # everything else takes more bytes already
            self.progress(name)(1, 1, "no pruned network is that small")
            return
        training.after_step = lambda: prune(
            network, density_at(training.step / training.steps, density)
        )
        history = training.run(self.folder / f"{name}.pt", self.progress(f"pruned {target_bytes}"))
        data = max(self._pruned_files(network, target_bytes), key=self._validate_pruned)
        with write_atomically(self.folder / f"{name}.pruned") as file:
            file.write(data)
        again = self._read_pruned(data)
        self._report(name, again, len(data), training, history=history, density=density)

    @property
    def _full_file(self) -> Path:
        return self.folder / "full.safetensors"

    def _new(self) -> nn.Module:
        return self.task.build().to(self.device)

    def _is_done(self, name: str, training: Training) -> bool:
        """Whether there is a result, which is refused if it is of other settings."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            return False
        found = json.loads(path.read_text())
        check_settings(path, found.get("settings", {}), training.settings | METHOD)
        return True

    def _read(self, data: bytes) -> Pranc:
        return Pranc.from_bytes(data, self.task.build(), cache=True, device=self.device)

    def _coarsest(self, network: Pranc) -> tuple[bytes, int]:
        """The file of the coarsest quantization whose validation accuracy is within the tolerance
        of the finest one's, and its steps per deviation."""
        finest = self._quantized(network, STEPS_PER_DEVIATION[-1])
        wanted = self._validate(self._read(finest)) - TOLERANCE
        for steps in STEPS_PER_DEVIATION[:-1]:
            data = self._quantized(network, steps)
            if self._validate(self._read(data)) >= wanted:
                return data, steps
        return finest, STEPS_PER_DEVIATION[-1]

    def _quantized(self, network: Pranc, steps: int) -> bytes:
        """A file whose statistics are those of its quantized coefficients."""
        step = default_step(network.coefficients(), steps)
        quantized = self._read(network.to_bytes(step=step))
        measure_statistics(quantized, self.dataset)
        return quantized.to_bytes(step=step)

    def _pruned_files(self, network: nn.Module, target_bytes: int) -> list[bytes]:
        """For several steps, the file with the density that fits."""
        files = [self._pruned_file(network, n, target_bytes) for n in STEPS_PER_DEVIATION[:4]]
        return [data for data in files if len(data) <= target_bytes] or files

    def _pruned_file(self, network: nn.Module, steps: int, target_bytes: int) -> bytes:
        """How many bytes the statistics take is known at the end: what is too much then is taken
        off the target."""
        candidate, room = self._new(), target_bytes
        while True:
            candidate.load_state_dict(network.state_dict())
            density = largest_density(candidate, steps, room)
            prune(candidate, density)
            weights = pack_weights(candidate, steps)
            unpack_pruned(weights + pack_buffers(candidate), candidate)
            measure_statistics(candidate, self.dataset)
            data = weights + pack_buffers(candidate)
            if len(data) <= target_bytes or density == 0:
                return data
            room -= len(data) - target_bytes

    def _read_pruned(self, data: bytes) -> nn.Module:
        network = self._new()
        unpack_pruned(data, network)
        return network

    def _validate_pruned(self, data: bytes) -> float:
        return self._validate(self._read_pruned(data))

    def _validate(self, network: nn.Module) -> float:
        return accuracy(network, self.dataset, self.dataset.validation)

    def _report(
        self, name: str, network: nn.Module, file_bytes: int, training: Training, **more: Any
    ) -> None:
        """Write the result; it is the last step, and the only one that sees the test images."""
        predictions = predict(network, self.dataset, self.dataset.test)
        result = dict(
            name=name,
            dataset=self.dataset.name,
            network=self.task.network,
            parameters=parameters_of(self.task.build()),
            file_bytes=file_bytes,
            validation_accuracy=self._validate(network),
            test_accuracy=float((predictions == self.dataset.test.labels).double().mean()),
            predictions_sha256=hashlib.sha256(predictions.byte().numpy().tobytes()).hexdigest(),
            settings=training.settings | METHOD,
            **more,
        )
        with write_atomically(self.folder / f"{name}.json") as file:
            file.write((json.dumps(result, indent=1) + "\n").encode())
