"""Meta-learn a prior for one shape of coordinate network, by Reptile.

    python -m pranc_codec.training.meta_prior PHOTOS --width 34 --output prior-34.safetensors

Reptile (Nichol et al. 2018, algorithm 1) fits the network to a random photograph for a few
iterations of Adam, moves the prior a little towards where the fit ended, and repeats. A coordinate
network that starts from such a prior needs fewer iterations and coefficients (Struempler et al.,
ECCV 2022; Tancik et al., CVPR 2021). Progress is saved every minute; a second call resumes.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from safetensors.torch import load_file, save
from torch import Tensor
from torch.func import functional_call

from pranc_codec.encoder.mlp.plan import MlpRule, shape_of
from pranc_codec.encoder.mlp.sampling import sample_pixels
from pranc_codec.files import write_atomically
from pranc_codec.mlp import coordinate_network
from pranc_codec.training.photographs import load_photographs


@dataclass(frozen=True, kw_only=True)
class MetaSettings:
    """Settings of one run of Reptile. Learning rates are in units of the weights' PRANC scales."""

    tasks: int = 1500
    inner_steps: int = 256
    batch: int = 4096
    inner_learning_rate: float = 0.15
    outer_learning_rate: float = 0.3
    longest_side: int = 768
    seed: int = 0


def adapt(
    module: coordinate_network.CoordinateMLP,
    prior: dict[str, Tensor],
    scales: dict[str, float],
    image: UInt8[Tensor, "h w 3"],
    settings: MetaSettings,
    generator: torch.Generator,
) -> tuple[dict[str, Tensor], float]:
    """Run the inner loop: return the weights after some iterations of Adam, and the last PSNR.

    The iterations start from the prior. The PSNR is in dB, over the last eight batches.
    """
    change = {name: torch.zeros_like(p, requires_grad=True) for name, p in prior.items()}
    optimizer = torch.optim.Adam(change.values(), lr=1.0, betas=(0.9, 0.99), eps=1e-10)
    losses = []
    for step in range(settings.inner_steps):
        rate = settings.inner_learning_rate * (1 - step / settings.inner_steps)
        optimizer.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 8)
        coords, colours = sample_pixels(image, settings.batch, generator)
        weights = {n: prior[n] + scales[n] * change[n] for n in prior}
        loss = (functional_call(module, weights, coords) - colours).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    adapted = {n: prior[n] + scales[n] * change[n].detach() for n in prior}
    return adapted, -10 * math.log10(float(np.mean(losses[-8:])))


def meta_learn(
    images: Sequence[UInt8[Tensor, "h w 3"]],
    shape: coordinate_network.Shape,
    settings: MetaSettings,
    output: Path,
    log: Path | None = None,
) -> dict[str, Tensor]:
    """Run Reptile over images. Checkpoints and the result are written to `output`.

    log: file to which the mean PSNR of every 25 tasks is appended.
    """
    module = coordinate_network.CoordinateMLP(shape, seed=0)
    prior, scales = coordinate_network.seeded_prior(shape, seed=0), coordinate_network.scales(shape)
    first = 0
    if output.exists():
        state = load_file(output)
        first = int(state.pop("task", torch.tensor(settings.tasks)))
        prior = state
    saved, recent = time.monotonic(), []
    for task in range(first, settings.tasks):
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + task)
        choice = int(torch.randint(len(images), (), generator=generator))
        image = augment(images[choice], generator)
        adapted, psnr_db = adapt(module, prior, scales, image, settings, generator)
        rate = settings.outer_learning_rate * (1 - task / settings.tasks)
        prior = {n: torch.lerp(prior[n], adapted[n], rate) for n in prior}
        recent.append(psnr_db)
        if time.monotonic() - saved > 60:
            checkpoint(prior, task + 1, output)
            saved = time.monotonic()
        if log is not None and (task + 1) % 25 == 0:
            with log.open("a") as file:
                file.write(f"{task + 1} {np.mean(recent):.3f}\n")
            recent = []
    with write_atomically(output) as file:
        file.write(save({n: p.half().contiguous() for n, p in prior.items()}))
    return prior


def augment(image: UInt8[Tensor, "h w 3"], generator: torch.Generator) -> UInt8[Tensor, "h w 3"]:
    """Return a random window of at least two thirds of each side, mirrored at random."""
    smallest_sides = [2 * side // 3 for side in image.shape[:2]]
    h, w = (
        int(torch.randint(smallest, side + 1, (), generator=generator))
        for smallest, side in zip(smallest_sides, image.shape[:2], strict=True)
    )
    top = int(torch.randint(image.shape[0] - h + 1, (), generator=generator))
    left = int(torch.randint(image.shape[1] - w + 1, (), generator=generator))
    window = image[top : top + h, left : left + w]
    return window.flip(1) if int(torch.randint(2, (), generator=generator)) else window


def checkpoint(prior: dict[str, Tensor], task: int, output: Path) -> None:
    """Save an unfinished prior with the number of finished tasks."""
    with write_atomically(output) as file:
        file.write(save({**prior, "task": torch.tensor(task)}))


def main(photos: Path, width: int, output: Path, tasks: int = MetaSettings.tasks) -> None:
    torch.set_num_threads(1)
    settings = MetaSettings(tasks=tasks)
    images = load_photographs(photos, settings.longest_side)
    meta_learn(
        images, shape_of(MlpRule(), width, colours=3), settings, output, output.with_suffix(".log")
    )


if __name__ == "__main__":
    import typer

    typer.run(main)
