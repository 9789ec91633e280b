"""The command `pranc evaluate`."""

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
        list[str],
        typer.Option(help="Codec: NAME or NAME:KEY=VALUE,KEY=VALUE/VALUE/...; repeatable."),
    ],
    point: Annotated[
        list[float] | None,
        typer.Option(
            help="Points for every codec. Default: those in --codec, else the codec's own."
        ),
    ] = None,
    results: Annotated[
        str, typer.Option(help="Folder or fsspec URL for the results. A second run resumes there.")
    ] = "runs",
    jobs: Annotated[
        int, typer.Option(help="Number of processes; they share the processors evenly.")
    ] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a Dask cluster to use instead, such as tcp://host:8786."),
    ] = None,
    retries: Annotated[
        int, typer.Option(help="How often the cluster runs a failing unit again.")
    ] = 2,
    resource: Annotated[
        list[str] | None,
        typer.Option(help="Resource that a unit needs of a Dask worker, such as GPU=1."),
    ] = None,
    shard: Annotated[
        str, typer.Option(help="Measure only the i-th of n parts, given as i/n.")
    ] = "1/1",
    keep_files: Annotated[bool, typer.Option(help="Also keep the encoded files.")] = False,
    anchors: Annotated[
        list[Path] | None,
        typer.Option(help="File of published points (JSON) for the plot and BD-rates; repeatable."),
    ] = None,
) -> None:
    """Measure rate and distortion of codecs, from real files and their decoded pixels.

    A codec is avif, avif-444, jpeg, jpeg-444, jpeg2000, jpegxl, pranc-grid, pranc-mlp, webp, or one
    that an installed package declares. Settings may follow its name, and slashes separate points:

        pranc evaluate images --codec jpeg --codec webp --codec avif --codec jpegxl

        pranc evaluate images --codec avif-444:speed=6,quality=20/40/60/80

        pranc evaluate images --codec pranc-grid:effort=0 --codec pranc-mlp:bpp=0.05/0.1/0.2

    Each image and point gives one JSON file, and an interrupted run continues where it stopped.
    In a Slurm array each task measures one part, and the same command without `--shard` gathers all
    parts. The option of a task is `--shard $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT`.

    `pranc report` compares results.
    """
    try:
        from pranc_codec.evaluate.command import parse_resources, parse_shard, run_evaluation
        from pranc_codec.evaluate.harness.run import Execution
    except ImportError as error:
        raise PrancError(f"{error}: evaluation needs pip install 'pranc-codec[eval]'") from error

    execution = Execution(
        jobs=jobs, scheduler=scheduler, retries=retries, shard=parse_shard(shard),
        resources=parse_resources(resource or []),
    )  # fmt: skip
    with progress_bar() as bar:
        written = run_evaluation(
            folder, codecs=codec, points=point or [], results=results, execution=execution,
            keep_files=keep_files, anchors=anchors or [], progress=bar,
        )  # fmt: skip
    Console().print(escape(written), highlight=False, soft_wrap=True)
