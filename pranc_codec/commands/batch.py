"""Run a command on many inputs, with one output each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import typer
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

import pranc_codec
from pranc_codec import PrancError
from pranc_codec.files import write_atomically

console = Console(stderr=True)
XMP_TAG: Final = 700
"""Number of TIFF's tag for XMP."""


def process_all(
    inputs: Sequence[Path],
    output: Path | None,
    suffix: str,
    force: bool,
    work: Callable[[Path, Callable[..., None]], Any],
) -> None:
    """Run `work` on every input and write each result, whole or not at all.

    output: file or folder to write to; None to write beside each input. suffix: suffix of outputs
    that `output` does not name. force: whether outputs are overwritten. work: function of an
    input's path and of a function that updates its progress bar; it returns the bytes of a file or
    a PIL image.

    If an input fails, this is reported in one line, and the command continues with the others and
    exits with code 1. Raises typer.BadParameter for wrong usage, before any work.
    """
    for source in inputs:
        if source.is_dir():
            raise typer.BadParameter(
                f"{source} is a folder: name its files instead, as in {source}/*"
            )
    if suffix in ("", "."):
        raise typer.BadParameter("the suffix of outputs is empty: give one, such as .png")
    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    targets = _targets(inputs, output, suffix)
    failed = 0
    with progress_bars() as bars:
        for source, target in zip(inputs, targets, strict=True):
            task = bars.add_task(escape(source.name), total=None)

            def bar(task: TaskID = task, **fields: Any) -> None:
                bars.update(task, **fields)

            try:
                _process(source, target, force, suffix != ".pranc", work, bar)
                bars.update(task, description=escape(f"{source.name} -> {target}"))
            except (PrancError, OSError, ValueError) as error:
                failed += 1
                bars.remove_task(task)
                complain(f"{source}: {error}")
    if failed:
        complain(f"{failed} of {len(inputs)} inputs failed")
        raise typer.Exit(1)


def complain(text: str) -> None:
    """Print an error in red on the error stream."""
    console.print(escape(text), style="red", soft_wrap=True, highlight=False)


def _process(
    source: Path,
    target: Path,
    force: bool,
    decoding: bool,
    work: Callable[..., Any],
    bar: Callable[..., None],
) -> None:
    if target.exists() and not force:
        raise PrancError(f"{target} exists: use --force to overwrite it")
    if not source.is_file():
        raise PrancError("there is no such file")
    image_format = _format_of(target) if decoding else None
    if not decoding:
        _check_name(target)
    result = work(source, bar)
    with write_atomically(target) as file:
        if isinstance(result, bytes):
            file.write(result)
        else:
            result.save(file, format=image_format, **_saved_metadata(result, image_format))
    if isinstance(result, bytes):
        header = pranc_codec.inspect(result)
        rate = 8 * len(result) / header.pixels
        text = f"{target}: {len(result)} bytes, {rate:.4f} bpp"
        console.print(escape(text), soft_wrap=True, highlight=False)


def _saved_metadata(image: Image.Image, image_format: str | None) -> dict[str, Any]:
    """Return an image's metadata as arguments of Pillow's `save`.

    PNG and TIFF take XMP in their own ways.
    """
    info: dict[Any, Any] = dict(image.info)
    if image_format == "PNG" and "xmp" in info:
        info["pnginfo"] = PngInfo()
        info["pnginfo"].add_itxt("XML:com.adobe.xmp", info.pop("xmp").decode("utf-8", "replace"))
    elif image_format == "TIFF" and "xmp" in info:
        exif = Image.Exif()
        exif.load(info.get("exif", b""))
        exif[XMP_TAG] = info.pop("xmp")
        info["exif"] = exif
    return info


def _targets(inputs: Sequence[Path], output: Path | None, suffix: str) -> list[Path]:
    """Return the path of each output. Raises typer.BadParameter if two would be the same."""
    folder = output is not None and (output.is_dir() or not output.suffix)
    if output is None:
        targets = [source.with_suffix(suffix) for source in inputs]
    elif folder or len(inputs) > 1:
        if output.is_file():
            raise typer.BadParameter(f"{output} is a file; several inputs need a folder")
        targets = [output / source.with_suffix(suffix).name for source in inputs]
    else:
        targets = [output]
    if len(set(targets)) < len(targets):
        raise typer.BadParameter("two inputs would be written to the same output")
    return targets


def _format_of(target: Path) -> str:
    format_name = Image.registered_extensions().get(target.suffix.lower())
    if format_name is None:
        raise PrancError(
            f"{target.suffix or 'a name without suffix'} is not an image format that Pillow knows"
        )
    return format_name


def _check_name(target: Path) -> None:
    """Refuse to write a .pranc file with the suffix of another format, as it would not open."""
    suffix = target.suffix.lower()
    known = Image.registered_extensions().get(suffix)
    if known not in (None, "PRANC"):
        raise PrancError(f"{target} would not be a {known} file: use the suffix .pranc")


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Show progress bars on the error stream, one for each task."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield bars


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, str], None]]:
    """Show one progress bar; yield a callback that takes (done, total, description)."""
    with progress_bars() as bars:
        task = bars.add_task("", total=None)

        def show(done: int, total: int, what: str) -> None:
            bars.update(task, completed=done, total=total, description=escape(what))

        yield show
