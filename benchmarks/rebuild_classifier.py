"""Rebuild a condensed classifier from its file, and compare its predicted classes.

python benchmarks/rebuild_classifier.py mnist PATH_OF_MNIST runs/lenet/hash-1000.prw

The result beside the file (.json, written by `pranc condense`) has the SHA-256 of the classes of
all test images. The script needs only pranc_codec and a torch that it supports, so it can run in
another environment than the one that wrote the file.
"""

import json
import sys
from pathlib import Path

import torch
import typer

from pranc_codec import Pranc
from pranc_codec.condense.datasets import load_dataset
from pranc_codec.condense.tasks import task_of
from pranc_codec.condense.training import classes_sha256, predict


def main(kind: str, data: Path, file: Path) -> None:
    """Compare the classes; the exit code is 0 if all are the same, else 1."""
    dataset = load_dataset(kind, data)
    network = Pranc.load(file, task_of(kind).build(), cache=True)
    classes = predict(network, dataset, dataset.test)
    found = classes_sha256(classes)
    same = found == json.loads(file.with_suffix(".json").read_text())["predictions_sha256"]
    correct = float((classes == dataset.test.labels).double().mean())
    print(f"torch {torch.__version__}, {dataset.name}: {len(classes)} images, {correct:.2%} right,")
    print("every class is the same" if same else "the classes differ")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    typer.run(main)
