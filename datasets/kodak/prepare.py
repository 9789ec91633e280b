"""Copy the 24 Kodak images into a folder, and check each one against its SHA-256.

    python datasets/kodak/prepare.py             download the images that are missing
    python datasets/kodak/prepare.py FOLDER      copy the images from your folder

`--output` names another folder than datasets/kodak/images; if it is FOLDER itself, its files are
only checked. The exit code is 1 if a file is missing or wrong, and all such files are named.
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
    parser.add_argument("folder", nargs="?", type=Path, help="folder with the PNG files")
    parser.add_argument("--output", type=Path, default=HERE / "images", help="folder to write to")
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
    """Read a file in the format of sha256sum; returns SHA-256 in hex by file name."""
    pairs = (line.split(maxsplit=1) for line in path.read_text().splitlines() if line)
    return {name.lstrip("*"): sha256 for sha256, name in pairs}


def copy_images(folder: Path, output: Path, checksums: Mapping[str, str]) -> list[str]:
    """Copy the images that are not in the output folder yet; returns what is missing or wrong."""
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
    """Download the images that are missing; returns those that failed, with the reason."""
    import pooch

    faults = []
    for name, sha256 in checksums.items():
        try:
            pooch.retrieve(base_url + name, known_hash=sha256, fname=name, path=output)
        except (OSError, ValueError) as error:  # no connection or no such file; wrong hash
            faults.append(f"{name}: {error}")
    return faults


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
