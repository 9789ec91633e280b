"""Compare bases and numbers of weights per coefficient by PSNR, at equal file size and iterations.

python benchmarks/ablation_basis.py [--effort 2] [--bpp 0.3] [--output FILE.json]

The images are three photographs of scikit-image at 192x128, none of Kodak. "direct" is the hash
basis with one coefficient per weight: a signed permutation, so each weight is coded by itself.
"""

import json
import time
from pathlib import Path

import numpy as np
import typer
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table
from skimage import data as skimage_data

import pranc_codec
from pranc_codec.files import write_atomically
from pranc_codec.metrics import psnr_db

IMAGES = ("astronaut", "coffee", "chelsea")
SIZE = (192, 128)
CASES = [("hash", 1.0), ("hash", 1.5), ("hash", 2.0), ("hash", 4.0), ("hash", 8.0)]
CASES += [("dense", 1.0), ("dense", 2.0), ("dense", 4.0)]


def photograph(name: str) -> Image.Image:
    image = Image.fromarray(getattr(skimage_data, name)())
    return ImageOps.fit(image, SIZE, Image.Resampling.LANCZOS)


def measure(image: Image.Image, basis: str, ratio: float, bpp: float, effort: int) -> dict:
    rule = pranc_codec.MlpRule(basis=basis, weights_per_coefficient=ratio)
    start = time.perf_counter()
    data = pranc_codec.encode(image, profile="mlp", bpp=bpp, effort=effort, rule=rule)
    seconds = time.perf_counter() - start
    header = pranc_codec.inspect(data)
    psnr = psnr_db(np.asarray(image), pranc_codec.decode_array(data))
    return dict(
        bytes=len(data), psnr_db=round(psnr, 3), encode_s=round(seconds, 2),
        coefficients=header.parameters.k, width=header.parameters.width,
    )  # fmt: skip


def main(effort: int = 2, bpp: float = 0.3, output: Path | None = None) -> None:
    """Measure every case on every image; print a table, and write a JSON file on request."""
    console, results = Console(), []
    table = Table("basis", "weights per coefficient", *IMAGES, "mean dB", "encode s")
    for basis, ratio in CASES:
        rows = {name: measure(photograph(name), basis, ratio, bpp, effort) for name in IMAGES}
        mean = float(np.mean([r["psnr_db"] for r in rows.values()]))
        seconds = float(np.median([r["encode_s"] for r in rows.values()]))
        results.append(dict(basis=basis, weights_per_coefficient=ratio, mean_db=mean, images=rows))
        name = "direct" if (basis, ratio) == ("hash", 1.0) else basis
        table.add_row(
            name, f"{ratio:g}", *(f"{r['psnr_db']:.2f}" for r in rows.values()),
            f"{mean:.2f}", f"{seconds:.1f}",
        )  # fmt: skip
    console.print(table)
    if output:
        with write_atomically(output) as file:
            file.write(json.dumps(dict(effort=effort, bpp=bpp, results=results), indent=1).encode())


if __name__ == "__main__":
    typer.run(main)
