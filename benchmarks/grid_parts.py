"""Seconds of each part of decoding a grid file, and multiplications per pixel of its networks.

python benchmarks/grid_parts.py [FILE.pranc] [--threads 2]
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table
from skimage import data as skimage_data

import pranc_codec
from pranc_codec import decoder
from pranc_codec.entropy import mixture_coder
from pranc_codec.grid import decode as grid_decode, latent_stream
from pranc_codec.grid.context import ContextModel
from pranc_codec.grid.enhancement import SynthesisNetwork
from pranc_codec.limits import Limits

RUNS = 5


def seconds(work: Callable[[], object]) -> float:
    """Median of some runs after a warm-up."""
    work()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def kmac_per_pixel() -> tuple[float, float]:
    """Of the context model (all levels: a third of a position per pixel and colour) and of the
    residual network (a quarter of a cell per pixel)."""
    steps = [
        sum(layer.weight.numel() for layer in network.children()) / 4  # type: ignore[union-attr]
        for network in ContextModel().networks[0]  # type: ignore[union-attr]
    ]
    convolutions = sum(layer.weight.numel() for layer in SynthesisNetwork().layers)  # type: ignore
    return sum(steps) / 3 / 1000, convolutions / 4 / 1000


def main(
    file: Annotated[Path | None, typer.Argument(help="Default: a photograph at 1 bpp.")] = None,
    threads: Annotated[int, typer.Option(help="Processor threads.")] = 2,
) -> None:
    """Print where the time of a decoding goes."""
    torch.set_num_threads(threads)
    photo = Image.fromarray(skimage_data.astronaut()).resize((768, 512), Image.Resampling.LANCZOS)
    data = file.read_bytes() if file else pranc_codec.encode(photo, bpp=1.0, effort=0)
    header, sections = decoder.open_file(data, Limits())
    cpu = torch.device("cpu")
    pyramid = latent_stream.read_pyramid(header, sections, cpu)
    size = (header.height, header.width)
    network = grid_decode.network_of(header, sections, cpu)
    entropy_s = 0.0
    real = mixture_coder.decode_step

    def timed(*arguments: object) -> object:
        nonlocal entropy_s
        start = time.perf_counter()
        out = real(*arguments)  # type: ignore[arg-type]
        entropy_s += time.perf_counter() - start
        return out

    with torch.no_grad():
        symbols_s = seconds(lambda: latent_stream.read_pyramid(header, sections, cpu))
        mixture_coder.decode_step = timed  # type: ignore[assignment]
        latent_stream.read_pyramid(header, sections, cpu)
        mixture_coder.decode_step = real
        pixels_s = seconds(
            lambda: grid_decode.reconstruct(pyramid, network, size, header.grid.q_step)
        )
        whole_s = seconds(lambda: pranc_codec.decode_array(data))
    context_kmac, residual_kmac = kmac_per_pixel()
    table = Table("part", "seconds", "kMAC per pixel")
    table.add_row("range decoder", f"{entropy_s:.3f}", "")
    table.add_row("context model", f"{symbols_s - entropy_s:.3f}", f"{context_kmac:.1f}")
    table.add_row("wavelet, residual network", f"{pixels_s:.3f}", f"{residual_kmac:.1f}")
    table.add_row("file to pixels", f"{whole_s:.3f}", f"{context_kmac + residual_kmac:.1f}")
    bpp = 8 * len(data) / header.pixels
    Console().print(f"{header.width}x{header.height}, {bpp:.3f} bpp, {threads} threads")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
