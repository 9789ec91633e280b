"""The `pranc` command."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import pranc_codec
from pranc_codec import Metadata, PrancError
from pranc_codec.batch import complain, process_all, progress_bars

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Image codec in which a network is fitted to each image and the network is the file.

Exit codes: 0 done, 1 an input could not be processed, 2 wrong usage, 130 interrupted.""",
)

COLOURS = ("luminance", "red-blue", "green")
ALLOCATOR = (
    "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184:"
    "glibc.malloc.top_pad=268435456:glibc.malloc.hugetlb=1"
)
Inputs = Annotated[list[Path], typer.Argument(help="Files to process.", show_default=False)]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o",
        help="Output file; or a folder, if it exists or has no suffix. Default: beside each input.",
    ),
]  # fmt: skip
Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite existing outputs.")]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda, cuda:1 ... Default: a GPU where there is one.")
]


@app.command()
def encode(
    inputs: Inputs,
    output: Output = None,
    quality: Annotated[float | None, typer.Option(help="1 to 100; default 50.")] = None,
    bpp: Annotated[float | None, typer.Option(help="Bits per pixel of the whole file.")] = None,
    psnr: Annotated[float | None, typer.Option(help="PSNR in dB to reach.")] = None,
    lmbda: Annotated[float | None, typer.Option(help="Price of a bit: MSE per bpp.")] = None,
    effort: Annotated[str, typer.Option(help="0 to 7, fast, default or max.")] = "default",
    profile: Annotated[
        str, typer.Option(help="grid: latents and a network; mlp: a coordinate network only.")
    ] = "grid",
    seed: Annotated[int, typer.Option(help="Seed of the basis.")] = 0,
    device: Device = None,
    no_metadata: Annotated[bool, typer.Option(help="Drop ICC profile, EXIF and XMP.")] = False,
    force: Force = False,
) -> None:
    """Encode images to .pranc files.

    Examples:

    - `pranc encode photo.png --bpp 0.1`
    - `pranc encode photo.png -o small.pranc --psnr 26 --effort max`
    - `pranc encode *.png -o encoded/ --quality 40`
    """
    options: dict[str, Any] = dict(
        quality=quality, bpp=bpp, psnr=psnr, lmbda=lmbda, profile=profile, seed=seed, device=device
    )
    options["effort"] = int(effort) if effort.lstrip("-").isdigit() else effort
    options["metadata"] = Metadata() if no_metadata else None

    def work(source: Path, bar: Callable[..., None]) -> bytes:
        return pranc_codec.encode(source, progress=_show(bar, source.name), **options)

    process_all(inputs, output, ".pranc", force, work)


@app.command()
def decode(
    inputs: Inputs,
    output: Output = None,
    size: Annotated[str | None, typer.Option(help="Render at WIDTHxHEIGHT.")] = None,
    region: Annotated[
        str | None, typer.Option(help="Only LEFT,TOP,RIGHT,BOTTOM, in pixels of that size.")
    ] = None,
    suffix: Annotated[str, typer.Option(help="Format of outputs without a name.")] = ".png",
    device: Device = None,
    force: Force = False,
) -> None:
    """Decode .pranc files to images (PNG, or what the output's suffix says).

    Examples:

    - `pranc decode photo.pranc`
    - `pranc decode photo.pranc -o large.png --size 3072x2048`
    - `pranc decode *.pranc -o decoded/ --region 0,0,256,256`
    """
    box = _numbers(region, ",", 4, "--region LEFT,TOP,RIGHT,BOTTOM")
    shape = _numbers(size, "x", 2, "--size WIDTHxHEIGHT")

    def work(source: Path, bar: Callable[..., None]) -> Any:
        image = pranc_codec.decode(source.read_bytes(), device=device, size=shape, region=box)
        bar(completed=100, total=100)
        return image

    process_all(inputs, output, suffix, force, work)


@app.command()
def info(
    inputs: Inputs,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show what is in .pranc files: the network, and where the bytes went.

    Example: `pranc info photo.pranc`
    """
    failed = False
    for source in inputs:
        try:
            analysis = pranc_codec.analyze(source.read_bytes())
        except (PrancError, OSError) as error:
            failed = True
            complain(f"{source}: {error}")
            continue
        if as_json:
            typer.echo(json.dumps({"file": str(source), **_plain(analysis)}))
        else:
            Console().print(_table(source, analysis))
    raise typer.Exit(1 if failed else 0)


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="Folder of images.", show_default=False)],
    codec: Annotated[
        list[str], typer.Option(help="pranc-grid, pranc-mlp, avif444, jpeg, jpeg444; repeatable.")
    ],
    point: Annotated[
        list[float], typer.Option(help="Rate points: bpp for pranc, quality for jpeg and avif.")
    ],
    parameter: Annotated[
        str | None, typer.Option(help="What --point sets, e.g. psnr instead of bpp.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of results; a second run resumes.")] = Path(
        "runs"
    ),
    effort: Annotated[str, typer.Option(help="Effort of pranc codecs.")] = "default",
    jobs: Annotated[int, typer.Option(help="Processes; the processors are shared out.")] = 1,
    anchors: Annotated[
        list[Path] | None, typer.Option(help="Published points (JSON) for plot and BD-rate.")
    ] = None,
) -> None:
    """Rate-distortion evaluation: real files, decoded files, one JSON per image and point.

    Example: `pranc evaluate datasets/kodak/images --codec jpeg --point 10 --point 30 --point 60`
    """
    try:
        from pranc_codec.evaluate.command import run_evaluation
    except ImportError as error:
        raise PrancError(f"{error}: evaluation needs pip install 'pranc-codec[eval]'") from error

    with _progress() as bar:
        written = run_evaluation(
            folder, codecs=codec, points=point, parameter=parameter, results=results,
            effort=effort, jobs=jobs, anchors=anchors or [], progress=bar,
        )  # fmt: skip
    Console().print(written)


@app.command()
def train_prior(
    folder: Annotated[Path, typer.Argument(help="Photographs to train on.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of checkpoints, logs and prior.")
    ],
    steps: Annotated[int, typer.Option(help="Training steps of each of the two networks.")] = 15000,
    threads: Annotated[int, typer.Option(help="Processor threads.")] = 1,
    from_prior: Annotated[bool, typer.Option(help="Start from the shipped prior.")] = False,
) -> None:
    """Train a prior of the grid profile: first the context model, then the residual network.

    Takes hours; logs its validation to OUTPUT/*.log, and goes on where it was interrupted.

    Example: `pranc train-prior photographs/ -o runs/prior --steps 20000`
    """
    from pranc_codec.training import grid_context, grid_prior, grid_synthesis

    output.mkdir(parents=True, exist_ok=True)
    context, synthesis = output / "context.pt", output / "synthesis.pt"
    options: dict[str, Any] = dict(steps=steps, threads=threads, from_prior=from_prior)
    grid_context.main(folder, context, **options)
    grid_synthesis.main(folder, context, synthesis, **options)
    grid_prior.main(context, synthesis, output / "grid.safetensors")
    Console().print(f"prior: {output / 'grid.safetensors'}")


def _numbers(text: str | None, separator: str, count: int, usage: str) -> Any:
    if text is None:
        return None
    parts = text.lower().split(separator)
    if len(parts) != count or not all(part.strip().isdigit() for part in parts):
        raise typer.BadParameter(f"{text!r} does not read as {usage}")
    return tuple(int(part) for part in parts)


def _show(bar: Callable[..., None], name: str) -> Callable[[pranc_codec.Progress], None]:
    def show(p: pranc_codec.Progress) -> None:
        text = f"{escape(name)}  {p.bpp_estimate:.3f} bpp  {p.psnr_db_estimate:.2f} dB"
        bar(completed=p.step, total=p.steps, description=text)

    return show


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None]]:
    """A single bar as a plain callback (done, total, what)."""
    with progress_bars() as bars:
        task = bars.add_task("", total=None)

        def show(done: int, total: int, what: str) -> None:
            bars.update(task, completed=done, total=total, description=what)

        yield show


def _plain(analysis: pranc_codec.Analysis) -> dict[str, Any]:
    """An analysis without its arrays."""
    out = asdict(analysis)
    for part in (*out["layers"], *out["levels"]):
        part["symbols"] = part["symbols"].size
    return out


def _table(source: Path, analysis: pranc_codec.Analysis) -> Table:
    h = analysis.header
    parts = ", ".join(f"{name} {count}" for name, count in analysis.part_bytes.items())
    title = (
        f"{escape(str(source))}: {h.width}x{h.height} {h.mode} {h.samples}, "
        f"{analysis.file_bytes} bytes ({parts}), {analysis.bpp:.4f} bpp\n"
    )
    rows = _mlp_rows(analysis) if h.profile == "mlp" else _grid_rows(analysis)
    table = Table(title=title + _profile(h), title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "part" else "right")
    for row in rows:
        table.add_row(*row.values())
    return table


def _profile(h: pranc_codec.Header) -> str:
    if h.profile == "mlp":
        p = h.mlp
        network = f"{p.features} features, {p.depth} x {p.width} sine layers"
        return f"profile mlp, basis {p.basis}, seed {h.seed}, {p.k} coefficients, {network}"
    g = h.grid
    return f"profile grid, prior {g.prior:08x}, step {g.step:.5f}, {g.k} coefficients"


def _mlp_rows(analysis: pranc_codec.Analysis) -> list[dict[str, str]]:
    return [
        {
            "part": layer.name, "weights": f"{layer.weights}",
            "coefficients": f"{layer.coefficients}", "step": f"{layer.step:.4f}",
            "bits": f"{layer.bits:.0f}",
            "bits/coefficient": f"{layer.bits / layer.coefficients:.2f}",
        }
        for layer in analysis.layers
    ]  # fmt: skip


def _grid_rows(analysis: pranc_codec.Analysis) -> list[dict[str, str]]:
    latents = [(f"{p.name}, {COLOURS[p.colour]}", p.symbols, p.bits) for p in analysis.levels]
    networks = [(p.name, p.symbols, p.bits) for p in analysis.layers]
    return [
        {
            "part": name, "symbols": f"{symbols.size}",
            "not zero": f"{(symbols != 0).mean():.1%}", "bits": f"{bits:.0f}",
            "of the file": f"{bits / 8 / analysis.file_bytes:.1%}",
        }
        for name, symbols, bits in [*latents, *networks]
    ]  # fmt: skip


def _tune_allocator() -> None:
    """Start long work again with glibc's malloc keeping large blocks, which it reads at start
    only: returning and faulting in every large tensor anew takes half of a fit's element-wise
    time."""
    long_work = sys.argv[1:2] and sys.argv[1] in ("encode", "evaluate", "train-prior")
    if long_work and sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = ALLOCATOR
        os.execv(sys.executable, sys.orig_argv)


def main() -> None:
    """Entry point: errors of the package become one line and exit code 1."""
    _tune_allocator()
    try:
        app(prog_name="pranc")
    except PrancError as error:
        complain(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
