"""Training data from latent fits: photographs -> a folder of windows with fitted symbols.

A fit zeroes symbols where this costs little quality, so fitted symbols have other distributions
than rounded coefficients. Each window is fitted once and stored in a file, which a training reads
many times. An interrupted run continues with the missing windows. Runs with different values of
`first` can fill the same folder at the same time.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import UInt8
from PIL import Image
from rich.progress import track
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor

from pranc_codec.encoder.grid.candidates import GridCandidates
from pranc_codec.encoder.grid.effort import evaluations_of, fit_settings
from pranc_codec.encoder.grid.fit_latents import fit
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.encoder.target import EFFORTS
from pranc_codec.errors import InvalidArgument
from pranc_codec.files import write_atomically
from pranc_codec.grid import prior as priors
from pranc_codec.grid.opponent import opponent_of
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.image import load_picture
from pranc_codec.resume import check_settings
from pranc_codec.training.photographs import load_photographs, random_crops
from pranc_codec.training.step import Tensors
from pranc_codec.training.symbols import Batch

LOG2_Q_STEPS: Final = (-5.5, -0.5)
EFFORT: Final = EFFORTS["default"]
PARTS: Final = ("training", "held-out")
GROUPS: Final = 4
"""Number of validation groups."""


def fitted_window(window: UInt8[Tensor, "side side 3"], q_step_code: int) -> dict[str, Tensor]:
    """Fit a window at the default effort; return the window, its step code and its symbols."""
    request = EncodeRequest(picture=load_picture(Image.fromarray(window.numpy())), effort=EFFORT)
    settings = fit_settings(evaluations_of(EFFORT, request.pixels))
    problem = GridCandidates(request).latents_problem(q_step_code)
    y = fit(problem, settings, seed=0, progress=None).y
    tensors = {"window": window, "step_code": torch.tensor(q_step_code, dtype=torch.int32)}
    for number, symbols in enumerate(y.tensors):
        tensors[f"symbols.{number}"] = symbols.round().to(torch.int16)
    return tensors


@dataclass(frozen=True, kw_only=True)
class FittedWindows:
    """Windows of one size whose latents were fitted once.

    windows, held_out: those to train on and to validate. crops: number of windows per iteration.
    digest: hash of the files of all windows.
    """

    windows: Sequence[dict[str, Tensor]]
    held_out: Sequence[dict[str, Tensor]]
    crops: int
    digest: str

    @classmethod
    def load(cls, folder: Path, *, crops: int) -> "FittedWindows":
        """Load all windows of a folder that `fit_windows` filled."""
        digest, parts = hashlib.sha256(), []
        for part in PARTS:
            files = [p.read_bytes() for p in sorted((folder / part).glob("*.safetensors"))]
            parts.append([load(data) for data in files])
            for data in files:
                digest.update(hashlib.sha256(data).digest())
        windows, held_out = parts
        if not windows or not held_out:
            raise InvalidArgument(
                f"{folder} holds {len(windows)} fitted windows to train on and {len(held_out)} "
                "held out: make some of both with `pranc train-prior --fitted`"
            )
        return cls(windows=windows, held_out=held_out, crops=crops, digest=digest.hexdigest())

    def draw(self, generator: torch.Generator) -> Tensors:
        """Draw random windows, neither mirrored nor transposed.

        The symbols of a mirrored or transposed window would not be those that a fit finds.
        """
        drawn = torch.randint(len(self.windows), (self.crops,), generator=generator).tolist()
        parts = zip(*(parts_of(self.windows[number]) for number in drawn), strict=True)
        return tuple(torch.cat(part) for part in parts)

    def validation(self) -> Iterable[Iterable[Tensors]]:
        """Yield the held-out windows in up to `GROUPS` groups of falling quantization step."""
        in_order = sorted(self.held_out, key=lambda window: -int(window["step_code"]))
        size = -(-len(in_order) // GROUPS)
        for start in range(0, len(in_order), size):
            yield map(parts_of, in_order[start : start + size])

    def batch(self, drawn: Tensors) -> Batch:
        """Return the windows with their stored symbols."""
        opponent, log2_q_step, approximation, *bands = drawn
        symbols = Pyramid(approximation=approximation, bands=tuple(bands))
        return Batch(opponent=opponent, symbols=symbols, log2_q_step=log2_q_step)

    def data(self) -> dict[str, Any]:
        """Return the number and the digest of the windows, for checkpoints."""
        return dict(windows=len(self.windows), windows_sha256=self.digest, crops=self.crops)


def parts_of(window: dict[str, Tensor]) -> Tensors:
    """Return opponent colours, log2 of the quantization step, and symbols from coarse to fine."""
    rgb = window["window"].permute(2, 0, 1)[None].float() / 255
    count = sum(name.startswith("symbols.") for name in window)
    symbols = (window[f"symbols.{number}"].float() for number in range(count))
    return opponent_of(rgb), window["step_code"].view(1) / 64, *symbols


def random_window(
    images: Sequence[UInt8[Tensor, "_ _ 3"]], side: int, generator: torch.Generator
) -> tuple[UInt8[Tensor, "side side 3"], int]:
    """Draw a random window and a random step code."""
    rgb = random_crops(images, 1, side, generator)[0]
    window = (rgb.permute(1, 2, 0) * 255).round().clamp(0, 255).to(torch.uint8).contiguous()
    low, high = LOG2_Q_STEPS
    log2_q_step = low + (high - low) * float(torch.rand((), generator=generator))
    return window, round(64 * log2_q_step)


def settings_of(path: Path) -> dict[str, Any]:
    """Return the settings with which a stored window was fitted."""
    with safe_open(path, framework="pt") as file:
        found: dict[str, Any] = json.loads((file.metadata() or {}).get("settings", "{}"))
    return found


def fit_windows(
    photos: Path,
    output: Path,
    *,
    count: int,
    first: int = 0,
    side: int = 256,
    threads: int = 1,
    held_out: bool = False,
    seed: int = 0,
) -> None:
    """Fit the windows first .. first + count - 1 at random quantization steps, and store them.

    photos: folder of photographs. output: folder of windows. side: side of a window in pixels.
    threads: number of CPU threads. held_out: whether to take the photographs that are held out to
    validate, instead of those to train on. seed: seed of the windows and steps.
    """
    torch.set_num_threads(threads)
    images = load_photographs(photos, 1024, held_out=held_out)
    settings = dict(
        photographs=len(images), side=side, seed=seed, effort=EFFORT,
        log2_q_steps=list(LOG2_Q_STEPS), prior=priors.fitted().number,
    )  # fmt: skip
    for number in track(range(first, first + count), description="fitting"):
        path = output / PARTS[held_out] / f"{number:06}.safetensors"
        if path.exists():
            check_settings(path, settings_of(path), settings)
            continue
        generator = torch.Generator().manual_seed((seed << 32) + number)
        tensors = fitted_window(*random_window(images, side, generator))
        with write_atomically(path) as file:
            file.write(save(tensors, metadata={"settings": json.dumps(settings)}))
