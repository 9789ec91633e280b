"""Write the golden condensed models that do not exist yet; files that exist are never changed.

    python -m tests.golden.make_model

As for `make`, names start with the format version that a file was written with.
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
from tests.golden.versions import check_version

CASES: dict[str, dict[str, Any]] = {
    "v1-model-hash": dict(coefficients=300, exclude=["1"], seed=7, shares="weights"),
    "v1-model-dense": dict(coefficients=100, basis="dense", seed=2**64 - 1, shares="weights"),
    "v1-model-delta": dict(coefficients=200, exclude=["1"], prior=shared_model(), shares="weights"),
    "v1-model-roots": dict(coefficients=250, exclude=normalization(build()), seed=8),
    "v1-model-dct": dict(coefficients=250, basis="dct", exclude=normalization(build()), seed=9),
}


def write(path: Path, **options: Any) -> None:
    """Save a model with pseudo-random coefficients and running statistics that inputs have changed.

    options: of `Pranc`.
    """
    network = Pranc(build(), **options)
    network.set_coefficients(numbers(torch.Size([options["coefficients"]]), 98))
    network(inputs())
    network.save(path, quantize=options.get("basis") != "dense", half="prior" not in options)


def main(folder: Path = FOLDER, expected_path: Path = EXPECTED) -> None:
    """Write what is missing in `folder`: file, hash of the coefficients, and outputs."""
    expected = json.loads(expected_path.read_text()) if expected_path.exists() else {}
    missing = {
        name: options for name, options in CASES.items() if not (folder / f"{name}.prw").exists()
    }
    for name in missing:
        check_version(name, VERSION)
    for name, options in missing.items():
        path = folder / f"{name}.prw"
        write(path, **options)
        network = rebuild(path)
        with torch.no_grad():
            outputs = network(inputs()).tolist()
        expected[path.name] = {"coefficients": sha256_of(network), "outputs": outputs}
    if missing:
        expected_path.write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
