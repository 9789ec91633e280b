"""Decode the golden files and compare: symbols exactly, pixels within one level.

    python tests/golden/check.py

needs pranc_codec with any torch that it supports, and nothing of the test environment.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pranc_codec import Limits, decode_array, decoder
from pranc_codec.grid import decode as grid_decode, latent_stream
from pranc_codec.mlp import decode as mlp_decode

FOLDER = Path(__file__).parent


def symbols_sha256(data: bytes) -> str:
    """Hash of all symbols as little-endian int32."""
    header, sections = decoder.open_file(data, Limits())
    if header.profile == "mlp":
        symbols = mlp_decode.read_symbols(header, sections)
    else:
        pyramid = latent_stream.read_pyramid(header, sections, torch.device("cpu"))
        symbols = [tensor.numpy().reshape(-1) for tensor in pyramid.tensors]
        if header.grid.k:
            symbols.append(grid_decode.read_coefficient_symbols(header.grid, sections))
    return hashlib.sha256(np.concatenate(symbols).astype("<i4").tobytes()).hexdigest()


def load_pixels(path: Path) -> np.ndarray:
    """Reference pixels: an image of 8 or 16 bits, or an array for what PNG does not hold."""
    return (
        np.load(path.with_suffix(".npy"))
        if path.with_suffix(".npy").exists()
        else np.asarray(Image.open(path.with_suffix(".png")))
    )


def check_file(path: Path, expected: Path = FOLDER / "expected.json") -> list[str]:
    """What is wrong with a golden file's decoding; nothing, one hopes."""
    data = path.read_bytes()
    problems = []
    if symbols_sha256(data) != json.loads(expected.read_text())[path.name]:
        problems.append(f"{path.name}: other symbols")
    pixels, reference = decode_array(data), load_pixels(path)
    if pixels.shape != reference.shape or pixels.dtype != reference.dtype:
        return [*problems, f"{path.name}: {pixels.dtype} {pixels.shape}"]
    # One level of 8 bits, in the units of the samples.
    level = {"uint8": 1, "uint16": 257, "float32": 1 / 255}[pixels.dtype.name]
    difference = np.abs(pixels.astype(np.float64) - reference).max()
    if difference > level:
        problems.append(f"{path.name}: pixels differ by up to {difference}")
    return problems


if __name__ == "__main__":
    files = sorted(FOLDER.glob("*.pranc"))
    found = [problem for path in files for problem in check_file(path)]
    sys.stdout.write(
        "\n".join(
            [
                *found,
                f"torch {torch.__version__}: {len(files)} files checked, {len(found)} problems\n",
            ]
        )
    )
    sys.exit(1 if found or not files else 0)
