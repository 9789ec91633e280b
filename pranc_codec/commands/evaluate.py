"""`pranc evaluate`"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from pranc_codec import PrancError
from pranc_codec.commands.batch import progress_bar


def evaluate(
    folder: Annotated[Path, typer.Argument(help="Folder of images.", show_default=False)],
    codec: Annotated[
        list[str], typer.Option(help="NAME or NAME:KEY=VALUE,KEY=VALUE/VALUE/...; repeatable.")
    ],
    point: Annotated[
        list[float] | None,
        typer.Option(help="Points of every codec; default: what --codec says, or its own."),
    ] = None,
    results: Annotated[
        str, typer.Option(help="Folder of results, or any fsspec URL; a second run resumes.")
    ] = "runs",
    jobs: Annotated[int, typer.Option(help="Processes; the processors are shared out.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask cluster to use instead, such as tcp://host:8786.")
    ] = None,
    retries: Annotated[int, typer.Option(help="Runs of a unit that fails on the cluster.")] = 2,
    resource: Annotated[
        list[str] | None, typer.Option(help="What a unit needs of a Dask worker, such as GPU=1.")
    ] = None,
    shard: Annotated[str, typer.Option(help="Measure the i-th of n parts only: i/n.")] = "1/1",
    keep_files: Annotated[bool, typer.Option(help="Keep the encoded files too.")] = False,
    anchors: Annotated[
        list[Path] | None, typer.Option(help="Published points (JSON) for plot and BD-rate.")
    ] = None,
) -> None:
    """Rate-distortion evaluation: real files, decoded files, one JSON per image and point.

    A codec is avif, avif-444, jpeg, jpeg-444, jpeg2000, jpegxl, pranc-grid, pranc-mlp, webp or one
    that an installed package announces; it may say its settings, and its points with slashes:

        pranc evaluate images --codec jpeg --codec webp --codec avif --codec jpegxl

        pranc evaluate images --codec avif-444:speed=6,quality=20/40/60/80

        pranc evaluate images --codec pranc-grid:effort=0 --codec pranc-mlp:bpp=0.05/0.1/0.2

    A run that was interrupted goes on where it stopped. On a Slurm array each task measures a part
    (`--shard $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT`), and the same command without `--shard`
    gathers them. `pranc report` compares results.
    """
    try:
        from pranc_codec.evaluate.command import parse_resources, parse_shard, run_evaluation
        from pranc_codec.evaluate.harness.run import Machines
    except ImportError as error:
        raise PrancError(f"{error}: evaluation needs pip install 'pranc-codec[eval]'") from error

    machines = Machines(
        jobs=jobs, scheduler=scheduler, retries=retries, shard=parse_shard(shard),
        resources=parse_resources(resource or []),
    )  # fmt: skip
    with progress_bar() as bar:
        written = run_evaluation(
            folder, codecs=codec, points=point or [], results=results, machines=machines,
            keep_files=keep_files, anchors=anchors or [], progress=bar,
        )  # fmt: skip
    Console().print(escape(written), highlight=False, soft_wrap=True)
