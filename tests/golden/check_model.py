"""Rebuild the golden condensed models and compare: coefficients exactly, classes exactly, outputs
within 1e-4.

    python tests/golden/check_model.py

needs pranc_codec with any torch that it supports, and nothing of the test environment.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from pranc_codec import Pranc
from pranc_codec.basis import prng

FOLDER = Path(__file__).parent
EXPECTED = FOLDER / "expected-models.json"


def build() -> nn.Module:
    """Architecture of the golden models."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip


def numbers(shape: torch.Size, stream: int) -> Tensor:
    """Numbers in (-1, 1) that are the same everywhere."""
    return torch.from_numpy(prng.uniform(shape.numel(), seed=1, stream=stream)).float().view(shape)


def shared_model() -> dict[str, Tensor]:
    """The prior of those files that need one."""
    state = build().state_dict()
    return {
        name: numbers(t.shape, 100 + i) if t.is_floating_point() else t
        for i, (name, t) in enumerate(state.items())
    } | {"1.running_var": torch.ones(8)}


def inputs() -> Tensor:
    return numbers(torch.Size([20, 3, 8, 8]), 99)


def rebuild(path: Path) -> Pranc:
    """The model of a golden file."""
    prior = shared_model() if "delta" in path.stem else None
    return Pranc.load(path, build(), prior=prior).eval()


def sha256_of(network: Pranc) -> str:
    """Hash of all coefficients as little-endian float32."""
    return hashlib.sha256(network.coefficients().numpy().astype("<f4").tobytes()).hexdigest()


def check_file(path: Path, expected: Path = EXPECTED) -> list[str]:
    """What is wrong with a rebuilt model; nothing, one hopes."""
    reference, network = json.loads(expected.read_text())[path.name], rebuild(path)
    problems = []
    if sha256_of(network) != reference["coefficients"]:
        problems.append(f"{path.name}: other coefficients")
    with torch.no_grad():
        outputs = network(inputs())
    wanted = torch.tensor(reference["outputs"])
    if not torch.equal(outputs.argmax(1), wanted.argmax(1)):
        problems.append(f"{path.name}: other classes")
    difference = float((outputs - wanted).abs().max())
    if difference > 1e-4:
        problems.append(f"{path.name}: outputs differ by up to {difference}")
    return problems


if __name__ == "__main__":
    files = sorted(FOLDER.glob("*.prw"))
    found = [problem for path in files for problem in check_file(path)]
    summary = f"torch {torch.__version__}: {len(files)} models checked, {len(found)} problems\n"
    sys.stdout.write("\n".join([*found, summary]))
    sys.exit(1 if found or not files else 0)
