"""Train a classifier, with checkpoints from which the training resumes.

The random numbers of an iteration (order of the images, mirroring, shifts) depend only on its
number, so a training that was interrupted ends with the same weights as one that was not.
"""

import hashlib
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from pranc_codec.condense.datasets import Dataset, Split
from pranc_codec.files import write_atomically
from pranc_codec.pranc.model import Pranc
from pranc_codec.precision import bfloat16_products
from pranc_codec.resume import check_settings

EVALUATED_AT_ONCE: Final = 500
"""Number of images in a batch when classes are predicted."""
TEMPERATURE: Final = 2.0
"""Divisor of both logits in `distillation`, chosen together with `TEACHERS_SHARE`."""
TEACHERS_SHARE: Final = 0.5
"""Weight of the teacher in the loss; the labels have the remaining weight. `TEMPERATURE` and this
were chosen with LeNet and 300 coefficients, on validation images of MNIST."""
Progress = Callable[[int, int, str], None]
"""Called with the number of finished iterations, the number of all iterations, and a text to show
beside the progress bar."""
History = list[dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained. The fields are part of every result, under these names.

    learning_rate: peak rate for coefficients (Adam) or for a plain network's weights (SGD with
        momentum).
    kept_rate: peak learning rate of excluded parameters.
    batch: number of images per iteration.
    decay: weight decay of a plain network.
    warmup: fraction of the iterations during which the learning rates rise.
    mirror: whether images are mirrored at random.
    shift: largest random shift of images in pixels, in each direction.
    bfloat16: whether convolutions and matrix products run in bfloat16 (autocast).
    save_every_s: seconds between two checkpoints.
    """

    epochs: int
    learning_rate: float
    kept_rate: float = 0.01
    batch: int = 128
    decay: float = 0.0
    warmup: float = 0.15
    mirror: bool = False
    shift: int = 0
    bfloat16: bool = False
    save_every_s: float = 60


def adam(network: Pranc, recipe: Recipe) -> torch.optim.Optimizer:
    """Return Adam for coefficients and excluded parameters, each with its peak learning rate."""
    groups = [
        dict(params=list(network.layers.parameters()), largest=recipe.learning_rate),
        dict(params=list(network.module.parameters()), largest=recipe.kept_rate),
    ]
    return torch.optim.Adam([g for g in groups if g["params"]], betas=(0.9, 0.99))


def momentum(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return SGD with Nesterov momentum for all weights of a plain network."""
    group = dict(params=list(module.parameters()), largest=recipe.learning_rate)
    return torch.optim.SGD(
        [group], lr=recipe.learning_rate, momentum=0.9, nesterov=True, weight_decay=recipe.decay
    )


class Training:
    """A training: a network, its optimizer, its data, and its progress.

    It runs on the network's device. teacher: a trained network whose outputs are learned, too (see
    `distillation`). sources: SHA-256 of the files that the training starts from; a checkpoint of a
    training with other sources is refused. The attribute `after_iteration` may be set to a function
    that is called after each iteration, for example to zero pruned weights again.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        dataset: Dataset,
        recipe: Recipe,
        teacher: nn.Module | None = None,
        sources: dict[str, str] | None = None,
    ) -> None:
        self.network, self.optimizer = network, optimizer
        self.teacher = None if teacher is None else teacher.eval()
        self.settings = asdict(recipe) | dict(dataset=dataset.name) | (sources or {})
        self.dataset, self.recipe = dataset, recipe
        self.device = network_device(network)
        self.after_iteration: Callable[[], None] = lambda: None
        self.iterations_per_epoch = max(1, len(dataset.train.labels) // recipe.batch)
        self.iterations, self.iteration = recipe.epochs * self.iterations_per_epoch, 0
        self.loss_sum, self.seconds = 0.0, 0.0
        self.history: History = []

    def run(self, checkpoint: Path, progress: Progress) -> History:
        """Train to the end, from the checkpoint if there is one, and return the history.

        Raises InvalidArgument for a checkpoint of a training with other settings.
        """
        self._resume(checkpoint)
        saved = time.monotonic()
        progress(self.iteration, self.iterations, self._summary())
        while self.iteration < self.iterations:
            self._advance()
            if self.iteration % self.iterations_per_epoch == 0:
                self._finish_epoch()
            if (
                time.monotonic() - saved > self.recipe.save_every_s
                or self.iteration == self.iterations
            ):
                self._save(checkpoint)
                saved = time.monotonic()
            progress(self.iteration, self.iterations, self._summary())
        return self.history

    def _advance(self) -> None:
        started = time.process_time()
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = group["largest"] * rate_factor(
                self.iteration / self.iterations, self.recipe.warmup
            )
        loss = self._loss(*self._batch())
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.after_iteration()
        self.loss_sum += float(loss.detach())
        self.iteration += 1
        self.seconds += time.process_time() - started

    def _loss(
        self, images: Float[Tensor, "b c h w"], labels: Int[Tensor, " b"]
    ) -> Float[Tensor, ""]:
        with autocast(self.device, self.recipe.bfloat16):
            outputs = self.network(images).float()
            with torch.no_grad():
                wanted = None if self.teacher is None else self.teacher(images).float()
        loss = F.cross_entropy(outputs, labels)
        return loss if wanted is None else distillation(loss, outputs, wanted)

    def _batch(self) -> tuple[Float[Tensor, "b c h w"], Int[Tensor, " b"]]:
        """Return the images of this iteration, mirrored and shifted, and their labels."""
        epoch, number = divmod(self.iteration, self.iterations_per_epoch)
        train, size = self.dataset.train, self.recipe.batch
        order = torch.randperm(len(train.labels), generator=torch.Generator().manual_seed(epoch))
        chosen = order[number * size : (number + 1) * size]
        generator = torch.Generator().manual_seed((1 << 32) + self.iteration)
        images = vary(train.images[chosen], self.recipe, generator).to(self.device)
        return self.dataset.normalize(images), train.labels[chosen].to(self.device)

    def _finish_epoch(self) -> None:
        found = accuracy(self.network, self.dataset, self.dataset.validation, self.recipe.bfloat16)
        self.history.append(
            dict(
                epoch=self.iteration // self.iterations_per_epoch,
                loss=self.loss_sum / self.iterations_per_epoch,
                validation_accuracy=found,
                processor_seconds=self.seconds,
            )
        )
        self.loss_sum = 0.0

    def _summary(self) -> str:
        return f"validation {self.history[-1]['validation_accuracy']:.2%}" if self.history else ""

    def _save(self, path: Path) -> None:
        state = dict(
            network=self.network.state_dict(), optimizer=self.optimizer.state_dict(),
            step=self.iteration, loss_sum=self.loss_sum, seconds=self.seconds, history=self.history,
            settings=self.settings,
        )  # fmt: skip
        with write_atomically(path) as file:
            torch.save(state, file)

    def _resume(self, path: Path) -> None:
        if not path.exists():
            return
        state = torch.load(path, weights_only=True, map_location=self.device)
        check_settings(path, state.get("settings", {}), self.settings)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.iteration, self.history = state["step"], state["history"]
        self.loss_sum, self.seconds = state["loss_sum"], state["seconds"]


def distillation(
    loss: Float[Tensor, ""], outputs: Float[Tensor, "b classes"], wanted: Float[Tensor, "b classes"]
) -> Float[Tensor, ""]:
    """Return the weighted sum of a loss and the divergence from a teacher's probabilities.

    loss: cross entropy of the labels. outputs, wanted: logits of the network and of the teacher.

    Source: Hinton et al., "Distilling the knowledge in a neural network", arXiv 1503.02531, section
    2. Both logits are divided by the temperature, and the Kullback-Leibler divergence of the
    probabilities is multiplied by the temperature's square.
    """
    found = F.log_softmax(outputs / TEMPERATURE, 1)
    soft = F.log_softmax(wanted / TEMPERATURE, 1)
    divergence = F.kl_div(found, soft, reduction="batchmean", log_target=True)
    return (1 - TEACHERS_SHARE) * loss + TEACHERS_SHARE * TEMPERATURE**2 * divergence


def rate_factor(done: float, warmup: float) -> float:
    """Return the learning rate over its peak when the fraction `done` of the training is over.

    It rises linearly during `warmup`, then falls to zero along a cosine.
    """
    if done < warmup:
        return (done + 1e-3) / (warmup + 1e-3)
    return (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) / 2


def vary(
    images: UInt8[Tensor, "b c h w"], recipe: Recipe, generator: torch.Generator
) -> UInt8[Tensor, "b c h w"]:
    """Mirror and shift images at random, as the recipe says; borders are repeated."""
    count, _, height, width = images.shape
    if recipe.mirror:
        mirrored = torch.rand(count, generator=generator) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    if recipe.shift:
        by = torch.randint(-recipe.shift, recipe.shift + 1, (2, count, 1), generator=generator)
        rows = (torch.arange(height) + by[0]).clamp(0, height - 1)
        columns = (torch.arange(width) + by[1]).clamp(0, width - 1)
        first = torch.arange(count)[:, None, None]
        picked = images.permute(0, 2, 3, 1)[first, rows[:, :, None], columns[:, None, :]]
        images = picked.permute(0, 3, 1, 2)
    return images


def autocast(device: torch.device, bfloat16: bool) -> AbstractContextManager[object]:
    """Return a context for products in bfloat16 if that is wanted and the device supports it."""
    return bfloat16_products(device) if bfloat16 else nullcontext()


def network_device(network: nn.Module) -> torch.device:
    """Return the device of a network's first tensor."""
    first: Tensor = next(iter(network.state_dict().values()))
    return first.device


@torch.no_grad()
def predict(
    network: nn.Module, dataset: Dataset, part: Split, bfloat16: bool = False
) -> Int[Tensor, " n"]:
    """Predict the class of each image. The network stays in evaluation mode."""
    network.eval()
    found, device = [], network_device(network)
    for images in torch.split(part.images, EVALUATED_AT_ONCE):
        with autocast(device, bfloat16):
            found.append(network(dataset.normalize(images.to(device))).argmax(1).cpu())
    return torch.cat(found)


def classes_sha256(classes: Int[Tensor, " n"]) -> str:
    """Return the SHA-256 of predicted classes, one byte each, in hexadecimal digits."""
    return hashlib.sha256(classes.byte().numpy().tobytes()).hexdigest()


def accuracy(network: nn.Module, dataset: Dataset, part: Split, bfloat16: bool = False) -> float:
    """Return the fraction of the images whose class is predicted correctly."""
    right = predict(network, dataset, part, bfloat16) == part.labels
    return float(right.double().mean())
