"""Bring the 24 Kodak images into a folder, each checked against its SHA-256.

    python datasets/kodak/prepare.py             download those that are not there yet
    python datasets/kodak/prepare.py FOLDER      copy them from a folder that you have

`--output` names another folder than datasets/kodak/images; if it is FOLDER itself, its files are
only checked. Exits with 1 and names the files if any is missing or wrong.
"""

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
BASE_URL = "http://r0k.us/graphics/kodak/kodak/"
CHECKSUMS = HERE / "checksums.txt"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        description="Copy or download the 24 Kodak images and check them."
    )
    parser.add_argument("folder", nargs="?", type=Path, help="a folder that holds the PNG files")
    parser.add_argument("--output", type=Path, default=HERE / "images", help="where they shall lie")
    options = parser.parse_args(arguments)
    checksums = read_checksums(CHECKSUMS)
    if options.folder:
        faults = copy_images(options.folder, options.output, checksums)
    else:
        faults = download_images(BASE_URL, options.output, checksums)
    if faults:
        print(f"{len(faults)} of {len(checksums)} images are missing or wrong:", file=sys.stderr)
        print("\n".join(f"  {fault}" for fault in faults), file=sys.stderr)
        return 1
    print(f"{len(checksums)} images in {options.output}, all with the right SHA-256")
    return 0


def read_checksums(path: Path) -> dict[str, str]:
    """SHA-256 in hex by file name, from a file in the format of sha256sum."""
    pairs = (line.split(maxsplit=1) for line in path.read_text().splitlines() if line)
    return {name.lstrip("*"): sha256 for sha256, name in pairs}


def copy_images(folder: Path, output: Path, checksums: Mapping[str, str]) -> list[str]:
    """Copy each right image unless it is there already; returns what is missing or wrong."""
    faults = []
    for name, sha256 in checksums.items():
        source, target = folder / name, output / name
        if not source.is_file():
            faults.append(f"{name}: not in {folder}")
        elif (found := sha256_of(source)) != sha256:
            faults.append(f"{name}: SHA-256 of {source} is {found}, expected {sha256}")
        elif not target.is_file() or sha256_of(target) != sha256:
            output.mkdir(parents=True, exist_ok=True)
            part = target.with_suffix(".part")
            part.write_bytes(source.read_bytes())
            part.replace(target)
    return faults


def download_images(base_url: str, output: Path, checksums: Mapping[str, str]) -> list[str]:
    """Download each image that is not there; returns what could not be had, and why."""
    import pooch

    faults = []
    for name, sha256 in checksums.items():
        try:
            pooch.retrieve(base_url + name, known_hash=sha256, fname=name, path=output)
        except (OSError, ValueError) as error:  # no connection, no such file; another checksum
            faults.append(f"{name}: {error}")
    return faults


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
