"""Download, check and unpack data sets that are published as one zip file."""

import shutil
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rich.console import Console

from pranc_codec.errors import InvalidArgument, PrancError
from pranc_codec.files import sha256_of, write_atomically

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A published zip file: its address, SHA-256 and size, and the number of its PNG files."""

    name: str
    url: str
    sha256: str
    file_bytes: int
    images: int


def prepare(archive: Archive, arguments: Sequence[str], *, home: Path) -> int:
    """Do the work of a data set's `prepare.py`; returns the exit status.

    arguments: the command line. Without any, the archive is downloaded and unpacked into
    `home/images`. A zip file is checked and unpacked there. A folder is only checked: its images
    stay where they are.
    """
    console, errors = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)
    if len(arguments) > 1 or set(arguments) & {"-h", "--help"}:
        errors.print(f"usage: python {sys.argv[0]} [ZIP or FOLDER]")
        return 2
    given = Path(arguments[0]) if arguments else None
    images = given if given and given.is_dir() else home / "images"
    try:
        if given is None and not _complete(archive, images):
            console.print(f"downloading {archive.file_bytes / 1e6:.0f} MB from {archive.url}")
            unpack(archive, download(archive, home / "images"), images)
        elif given and given != images:
            unpack(archive, given, images)
        check_folder(archive, images)
    except (PrancError, OSError) as error:
        errors.print(str(error), markup=False, style="red")
        return 1
    console.print(f"{archive.images} images in {images}", markup=False)
    return 0


def download(archive: Archive, folder: Path) -> Path:
    """Download the zip file into a folder, unless it is there already; returns its path.

    Raises PrancError if it cannot be downloaded or has another SHA-256.
    """
    import pooch

    name = PurePosixPath(archive.url).name
    try:
        return Path(pooch.retrieve(archive.url, f"sha256:{archive.sha256}", name, folder))
    except (OSError, ValueError) as error:  # no connection or no such file; wrong hash
        raise PrancError(f"{archive.url}: {error}") from error


def unpack(archive: Archive, path: Path, images: Path) -> None:
    """Check a zip file and write its PNG files into one folder, without their paths.

    Raises InvalidArgument if the file has another SHA-256.
    """
    found = sha256_of(path)
    if found != archive.sha256:
        raise InvalidArgument(f"SHA-256 of {path} is {found}, expected {archive.sha256}")
    with zipfile.ZipFile(path) as packed:
        for member in packed.infolist():
            inside = PurePosixPath(member.filename)
            if inside.suffix.lower() != ".png" or inside.name.startswith("._"):
                continue  # folders, and the files that macOS adds
            with packed.open(member) as source, write_atomically(images / inside.name) as target:
                shutil.copyfileobj(source, target, CHUNK_BYTES)


def check_folder(archive: Archive, images: Path) -> None:
    """Raise InvalidArgument unless a folder holds as many PNG files as the data set."""
    if not _complete(archive, images):
        count = len(list(images.glob("*.png")))
        raise InvalidArgument(
            f"{images} holds {count} PNG files, but {archive.name} has {archive.images}"
        )


def _complete(archive: Archive, images: Path) -> bool:
    return len(list(images.glob("*.png"))) == archive.images
