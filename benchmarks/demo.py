"""Encode a photograph at three rates, decode it, and show it beside JPEG and AVIF.

python benchmarks/demo.py [IMAGE] [--effort 4] [--output demo]
"""

import time
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image, ImageDraw
from rich.console import Console
from rich.progress import Progress as Bars
from rich.table import Table
from skimage import data as skimage_data

import pranc_codec
from pranc_codec.evaluate import Codec, Curve, find_codec, plot_curves
from pranc_codec.metrics import psnr_db

RATES_BPP = (0.1, 0.2, 0.4)
PROFILES = ("grid", "mlp")
OTHERS = {"JPEG 4:2:0": "jpeg-420", "AVIF 4:4:4": "avif-444"}


def nearest_file(codec: Codec, image: Image.Image, size_bytes: int) -> bytes:
    """Return the file whose size is nearest to `size_bytes`; sizes grow with quality."""

    @cache
    def encoded(quality: int) -> bytes:
        return codec.encode(image, {**codec.settings, "quality": quality})

    low, high = 1, 100
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if len(encoded(middle)) <= size_bytes else (low, middle)
    return min(encoded(low), encoded(high), key=lambda data: abs(len(data) - size_bytes))


def row(image: Image.Image, name: str, data: bytes, pixels: np.ndarray, *seconds: float) -> dict:
    bpp = 8 * len(data) / (image.width * image.height)
    psnr = psnr_db(np.asarray(image), pixels)
    return dict(name=name, data=data, pixels=pixels, bpp=bpp, psnr=psnr, seconds=seconds)


def measure(image: Image.Image, effort: int, console: Console) -> list[dict]:
    """Return, for each rate, a row for each of our profiles and for each other codec.

    The other codecs match the size of the last profile's file.
    """
    rows = []
    with Bars(console=console) as bars:
        for bpp in RATES_BPP:
            for profile in PROFILES:
                task = bars.add_task(f"{profile}: fitting a network for {bpp} bpp", total=None)

                def show(p: pranc_codec.Progress, task: int = task, bars: Bars = bars) -> None:
                    bars.update(task, completed=p.iteration, total=p.iterations)

                start = time.perf_counter()
                data = pranc_codec.encode(
                    image, profile=profile, bpp=bpp, effort=effort, progress=show
                )
                encoded = time.perf_counter()
                pixels = pranc_codec.decode_array(data)
                seconds = encoded - start, time.perf_counter() - encoded
                rows.append(row(image, f"pranc {profile}", data, pixels, *seconds))
            for name, known_as in OTHERS.items():
                codec = find_codec(known_as)
                other = nearest_file(codec, image, len(data))
                rows.append(row(image, name, other, codec.decode(other)))
    return rows


def coefficients_of(data: bytes) -> str:
    """Describe the network's coefficients in a file; return "" for other formats."""
    if not data.startswith(b"\x89PRN"):
        return ""
    analysis = pranc_codec.analyze(data)
    count = analysis.header.parameters.k
    return f"{count} in {analysis.part_bytes['symbols']} bytes" if count else "none"


def show_table(rows: list[dict], console: Console) -> None:
    table = Table(
        "codec",
        *(f"[right]{c}" for c in ("bytes", "bpp", "PSNR dB", "encode s", "decode s")),
        "[right]coefficients",
    )
    for column in table.columns[1:]:
        column.justify = "right"
        column.header = column.header.removeprefix("[right]")
    for r in rows:
        seconds = [f"{s:.2f}" for s in r["seconds"]] or ["", ""]
        table.add_row(
            r["name"],
            str(len(r["data"])),
            f"{r['bpp']:.3f}",
            f"{r['psnr']:.2f}",
            *seconds,
            coefficients_of(r["data"]),
        )
    console.print(table)


def picture(image: Image.Image, rows: list[dict]) -> Image.Image:
    """Draw our profiles and the other codecs side by side, with a line for each rate."""
    w, h = image.size
    across = len(PROFILES) + len(OTHERS)
    sheet = Image.new("RGB", (across * (w + 8) - 8, (h + 24) * (len(rows) // across)), "white")
    draw = ImageDraw.Draw(sheet)
    for n, r in enumerate(rows):
        x, y = n % across * (w + 8), n // across * (h + 24)
        sheet.paste(Image.fromarray(r["pixels"]), (x, y + 24))
        label = f"{r['name']}  {len(r['data'])} bytes  {r['bpp']:.3f} bpp  {r['psnr']:.2f} dB"
        draw.text((x + 4, y + 5), label, fill="black", font_size=14)
    return sheet


def main(
    image: Annotated[
        Path | None, typer.Argument(help="Image. Default: a photograph of scikit-image.")
    ] = None,
    effort: Annotated[int, typer.Option(help="0 to 7.")] = 4,
    output: Annotated[Path, typer.Option(help="Folder for files, picture and plot.")] = Path(
        "demo"
    ),
) -> None:
    """Encode a photograph at three rates, decode it, and show it beside JPEG and AVIF."""
    console = Console()
    source = Image.open(image).convert("RGB") if image else Image.fromarray(skimage_data.coffee())
    console.print(f"{image or 'coffee (scikit-image)'}: {source.width}x{source.height}")
    rows = measure(source, effort, console)
    show_table(rows, console)
    output.mkdir(parents=True, exist_ok=True)
    for r in rows:
        suffix = r["name"].split()[0].lower()
        name = r["name"].replace(" ", "-").replace(":", "")
        (output / f"{name}-{r['bpp']:.2f}-bpp.{suffix}").write_bytes(r["data"])
    picture(source, rows).save(output / "comparison.png")
    curves = [
        Curve(name=name, bpp=tuple(r["bpp"] for r in rows if r["name"] == name),
              psnr_db=tuple(r["psnr"] for r in rows if r["name"] == name))
        for name in (*(f"pranc {p}" for p in PROFILES), *OTHERS)
    ]  # fmt: skip
    plot_curves(
        curves,
        output / "rate-distortion.png",
        title=image.name if image else "coffee",
        measured={c.name for c in curves},
    )
    console.print(f"files, comparison.png and rate-distortion.png are in {output}/")


if __name__ == "__main__":
    typer.run(main)
