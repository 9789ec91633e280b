"""Compare the file sizes of formats for 64x64 pictures at the same PSNR, where overhead matters.

python benchmarks/icon.py [--psnr 35] [--effort 4]
"""

import io
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table
from skimage import data as skimage_data

import pranc_codec
from pranc_codec.metrics import psnr_db

SIDE = 64
FORMATS = {
    "WebP": dict(format="WEBP", method=6),
    "AVIF": dict(format="AVIF", subsampling="4:4:4", speed=4),
    "JPEG": dict(format="JPEG", subsampling="4:4:4", optimize=True, progressive=True),
}


def saved(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()


def smallest(image: Image.Image, wanted_db: float, options: dict[str, object]) -> bytes:
    """Return the file of the lowest quality that reaches a PSNR."""
    for quality in range(1, 101):
        data = saved(image, quality=quality, **options)
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        if psnr_db(np.asarray(image), pixels) >= wanted_db:
            return data
    return data


def main(
    psnr: Annotated[float, typer.Option(help="PSNR in dB that each file reaches.")] = 35,
    effort: Annotated[int, typer.Option(help="0 to 7.")] = 4,
) -> None:
    """Print the bytes of each format."""
    table = Table("image", "pranc", "its header and framing", *FORMATS, "PNG (lossless)")
    for name in ("astronaut", "coffee", "chelsea"):
        image = Image.fromarray(getattr(skimage_data, name)()).resize(
            (SIDE, SIDE), Image.Resampling.LANCZOS
        )
        data = pranc_codec.encode(image, psnr=psnr + 0.05, effort=effort)
        parts = pranc_codec.analyze(data).part_bytes
        others = [len(smallest(image, psnr, options)) for options in FORMATS.values()]
        table.add_row(
            name, str(len(data)), str(parts["header"] + parts["framing"]), *map(str, others),
            str(len(saved(image, format="PNG", optimize=True))),
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
