"""Write golden condensed models of the current format version. Never overwrites one.

python -m tests.golden.make_model
"""

import json
from pathlib import Path
from typing import Any

import torch

from pranc_codec import Pranc, normalization
from pranc_codec.pranc.file_format import VERSION
from tests.golden.check_model import (
    EXPECTED,
    FOLDER,
    build,
    inputs,
    numbers,
    rebuild,
    sha256_of,
    shared_model,
)

CASES: dict[str, dict[str, Any]] = {
    "hash": dict(coefficients=300, exclude=["1"], seed=7, shares="weights"),
    "dense": dict(coefficients=100, basis="dense", seed=2**64 - 1, shares="weights"),
    "delta": dict(coefficients=200, exclude=["1"], prior=shared_model(), shares="weights"),
    "roots": dict(coefficients=250, exclude=normalization(build()), seed=8),
    "dct": dict(coefficients=250, basis="dct", exclude=normalization(build()), seed=9),
}


def write(path: Path, **options: Any) -> None:
    """A model with made-up coefficients and used running statistics."""
    network = Pranc(build(), **options)
    network.set_coefficients(numbers(torch.Size([options["coefficients"]]), 98))
    network(inputs())
    network.save(path, quantize=options.get("basis") != "dense", half="prior" not in options)


def main(folder: Path = FOLDER, expected_path: Path = EXPECTED) -> None:
    expected = json.loads(expected_path.read_text()) if expected_path.exists() else {}
    for name, options in CASES.items():
        path = folder / f"v{VERSION}-model-{name}.prw"
        if path.exists():
            continue
        write(path, **options)
        network = rebuild(path)
        with torch.no_grad():
            outputs = network(inputs()).tolist()
        expected[path.name] = {"coefficients": sha256_of(network), "outputs": outputs}
    expected_path.write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
