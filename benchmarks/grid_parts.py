"""Measure the seconds of each part of decoding a grid file, and its multiplications per pixel.

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
from pranc_codec.entropy.mixture_coder import Distributions, decode_phase
from pranc_codec.entropy.range_coder import Decoder, Integers
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.grid import decode as grid_decode, latent_stream, wavelet
from pranc_codec.grid.context import ContextModel
from pranc_codec.grid.enhancement import EnhancementNetwork
from pranc_codec.grid.reconstruct import reconstruct
from pranc_codec.limits import Limits

RUNS = 5
CPU = torch.device("cpu")


def seconds(work: Callable[[], object], runs: int) -> float:
    """Return the median seconds of some runs after a warm-up."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


class Recorded:
    """A `DecodeObserver` that records the distributions of all phases."""

    def __init__(self) -> None:
        self.distributions: list[Distributions] = []

    def approximation(self, planes: Integers) -> None:
        """Ignore the approximation."""

    def phase(self, d: Distributions, key: tuple[int, ...], symbols: Integers) -> None:
        self.distributions.append(d)


def decode_symbols(header: Header, stream: bytes, distributions: list[Distributions]) -> None:
    """Decode all symbols of the latents with known distributions, as the range decoder does."""
    coder = Decoder(stream)
    size = wavelet.approximation_size(header.height, header.width)
    latent_stream.unpack_approximation(coder, size, header.grid.approximation_rows)
    for d in distributions:
        decode_phase(coder, d)


def kmac_per_pixel() -> tuple[float, float]:
    """Return kMAC per pixel of the context model and of the enhancement network.

    Over all levels, the context model is evaluated at a third of a position per pixel and colour,
    the enhancement network at a quarter of a cell per pixel.
    """
    networks = ContextModel().networks[0]
    phases = [sum(p.numel() for p in one.parameters() if p.dim() == 4) / 4 for one in networks]
    layers = EnhancementNetwork().layers
    convolutions = sum(p.numel() for layer in layers for p in layer.parameters())
    return sum(phases) / 3 / 1000, convolutions / 4 / 1000


def main(
    file: Annotated[
        Path | None, typer.Argument(help="A grid file. Default: a photograph at 1 bpp.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Number of CPU threads.")] = 2,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of each part.")] = RUNS,
    width: Annotated[int, typer.Option(min=16, help="Width of the photograph, at 3:2.")] = 768,
) -> None:
    """Print how much time each part of decoding takes."""
    torch.set_num_threads(threads)
    size = (width, width * 2 // 3)
    photo = Image.fromarray(skimage_data.astronaut()).resize(size, Image.Resampling.LANCZOS)
    data = file.read_bytes() if file else pranc_codec.encode(photo, bpp=1.0, effort=0)
    header, sections = decoder.open_file(data, Limits())
    recorded, stream = Recorded(), sections[bitstream.LATENTS]
    pyramid = latent_stream.read_pyramid(header, sections, CPU, observer=recorded)
    network = grid_decode.network_of(header, sections, CPU)
    height_width, q_step = (header.height, header.width), header.grid.q_step
    with torch.no_grad():
        entropy_s = seconds(lambda: decode_symbols(header, stream, recorded.distributions), runs)
        symbols_s = seconds(lambda: latent_stream.read_pyramid(header, sections, CPU), runs)
        pixels_s = seconds(lambda: reconstruct(pyramid, network, height_width, q_step), runs)
        whole_s = seconds(lambda: pranc_codec.decode_array(data), runs)
    context_kmac, enhancement_kmac = kmac_per_pixel()
    table = Table("part", "seconds", "kMAC per pixel")
    table.add_row("range decoder", f"{entropy_s:.3f}", "")
    table.add_row("context model", f"{symbols_s - entropy_s:.3f}", f"{context_kmac:.1f}")
    table.add_row("wavelet, enhancement network", f"{pixels_s:.3f}", f"{enhancement_kmac:.1f}")
    table.add_row("file to pixels", f"{whole_s:.3f}", f"{context_kmac + enhancement_kmac:.1f}")
    bpp = 8 * len(data) / header.pixels
    Console().print(f"{header.width}x{header.height}, {bpp:.3f} bpp, {threads} threads")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
