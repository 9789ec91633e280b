"""An experiment: train all weights, train coefficients, and prune to the sizes of their files.

Every choice is made on validation images. The test images are used once, right before a result is
written; a training that has a result is not run again. Trainings resume from their checkpoints.
"""

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
from pranc_codec.condense.tasks import ClassifierTask
from pranc_codec.condense.training import (
    Progress,
    Training,
    accuracy,
    adam,
    classes_sha256,
    momentum,
    predict,
)  # fmt: skip
from pranc_codec.errors import InvalidArgument
from pranc_codec.files import sha256_of, write_atomically
from pranc_codec.pranc.file import default_q_step
from pranc_codec.pranc.model import Pranc
from pranc_codec.pranc.module_tensors import normalization
from pranc_codec.resume import check_settings

STEPS_PER_DEVIATION: Final = (2, 3, 4, 6, 8, 16, 32)
"""Quantizations that are tried: root mean square of the coefficients / quantization step."""
TOLERANCE: Final = 0.001
"""Validation accuracy that a coarser quantization may lose."""
METHOD: Final = {"statistics": "measured"}
"""How a trained network becomes a file. Results that were made in another way are refused."""
SEED: Final = 0


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A task, its data, and a folder of checkpoints, files and results.

    progress: function of a training's name that returns the callback for its progress. start: a
    .prw file with the same basis and k; trainings start from its coefficients. teacher: a file that
    `full` wrote; coefficients are also trained on the outputs of its network.
    """

    task: ClassifierTask
    dataset: Dataset
    folder: Path
    progress: Callable[[str], Progress]
    device: torch.device = torch.device("cpu")
    start: Path | None = None
    teacher: Path | None = None

    def full(self) -> nn.Module:
        """Train the plain network, write its file and its result, and return it."""
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
        """Train k coefficients, write their file and their result, and return the file's size."""
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
        """Return the training of a network's coefficients, before its first iteration."""
        recipe = self.task.coefficients
        return Training(
            network, adam(network, recipe), self.dataset, recipe, self._read_teacher(),
            self._sources(),
        )  # fmt: skip

    def new_pranc(self, basis: str, k: int) -> Pranc:
        """Make the network before training; all but its normalization layers are generated."""
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
                f"{found.basis}, but this run is for {k} of basis {basis}"
            )
        return found

    def _sources(self) -> dict[str, str]:
        """Return the SHA-256 of the files that trainings of coefficients start or learn from."""
        files = dict(start=self.start, teacher=self.teacher)
        return {name: sha256_of(path) for name, path in files.items() if path is not None}

    def _read_teacher(self) -> nn.Module | None:
        return None if self.teacher is None else self._read_plain(self.teacher)

    def _read_plain(self, path: Path) -> nn.Module:
        """Read the plain network of a file that `full` wrote."""
        network = self._new()
        try:
            network.load_state_dict(load(path.read_bytes()))
        except (SafetensorError, RuntimeError) as error:
            raise InvalidArgument(
                f"{path} is not a state dict of a {self.task.network} in safetensors: {error}"
            ) from error
        return network

    def pruned(self, target_bytes: int) -> None:
        """Prune the plain network while its training continues; write its file and its result.

        target_bytes: the largest size of the file. If even a network without weights takes more
        bytes, nothing is written.
        """
        name, recipe = f"pruned-{target_bytes}", self.task.tune
        network = self.full()
        training = Training(
            network, momentum(network, recipe), self.dataset, recipe,
            sources=dict(full=sha256_of(self._full_file)),
        )  # fmt: skip
        if self._is_done(name, training):
            return
        density = largest_density(network, 4, target_bytes)
        if density == 0:  # biases, normalization and buffers alone take more
            self.progress(name)(1, 1, "no pruned network is that small")
            return
        training.after_iteration = lambda: prune(
            network, density_at(training.iteration / training.iterations, density)
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
        """Return whether there is a result. Raises InvalidArgument if it has other settings."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            return False
        found = json.loads(path.read_text())
        check_settings(path, found.get("settings", {}), training.settings | METHOD)
        return True

    def _read(self, data: bytes) -> Pranc:
        return Pranc.from_bytes(data, self.task.build(), cache=True, device=self.device)

    def _coarsest(self, network: Pranc) -> tuple[bytes, int]:
        """Return the file with the coarsest quantization that is accurate enough.

        Its validation accuracy is at most `TOLERANCE` below that of the finest quantization.
        Returns the bytes and the steps per deviation.
        """
        finest = self._quantized(network, STEPS_PER_DEVIATION[-1])
        wanted = self._validate(self._read(finest)) - TOLERANCE
        for steps in STEPS_PER_DEVIATION[:-1]:
            data = self._quantized(network, steps)
            if self._validate(self._read(data)) >= wanted:
                return data, steps
        return finest, STEPS_PER_DEVIATION[-1]

    def _quantized(self, network: Pranc, steps: int) -> bytes:
        """Return a file whose batch statistics are measured with its quantized coefficients."""
        q_step = default_q_step(network.coefficients(), steps)
        quantized = self._read(network.to_bytes(q_step=q_step))
        measure_statistics(quantized, self.dataset)
        return quantized.to_bytes(q_step=q_step)

    def _pruned_files(self, network: nn.Module, target_bytes: int) -> list[bytes]:
        """Return files for several quantization steps, each with the density that fits the size."""
        files = [self._pruned_file(network, n, target_bytes) for n in STEPS_PER_DEVIATION[:4]]
        return [data for data in files if len(data) <= target_bytes] or files

    def _pruned_file(self, network: nn.Module, steps: int, target_bytes: int) -> bytes:
        """Return the file for one quantization, with the largest density that fits.

        The size of the batch statistics is known only after they were measured, at the end. If the
        file is then too large, the excess is subtracted from the size that the weights may have.
        """
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
        """Write the result. This comes last, and nothing else uses the test images."""
        predictions = predict(network, self.dataset, self.dataset.test)
        result = dict(
            name=name,
            dataset=self.dataset.name,
            network=self.task.network,
            parameters=parameters_of(self.task.build()),
            file_bytes=file_bytes,
            validation_accuracy=self._validate(network),
            test_accuracy=float((predictions == self.dataset.test.labels).double().mean()),
            predictions_sha256=classes_sha256(predictions),
            settings=training.settings | METHOD,
            **more,
        )
        with write_atomically(self.folder / f"{name}.json") as file:
            file.write((json.dumps(result, indent=1) + "\n").encode())
