"""`pranc evaluate`"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pranc_codec import PrancError
from pranc_codec.batch import progress_bars


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


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None]]:
    """A single bar as a plain callback (done, total, what)."""
    with progress_bars() as bars:
        task = bars.add_task("", total=None)

        def show(done: int, total: int, what: str) -> None:
            bars.update(task, completed=done, total=total, description=what)

        yield show
