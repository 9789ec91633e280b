"""Resume long work from the files of an earlier run."""

from pathlib import Path
from typing import Any

from pranc_codec.errors import InvalidArgument


def check_settings(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Refuse to resume from a file that was made with other settings.

    path: the file, for the error message. found: the file's settings, by name. wanted: the settings
    of this run. Raises InvalidArgument, whose message lists all differences.
    """
    others = {n: v for n, v in found.items() if wanted.get(n) != v}
    others |= {n: None for n in wanted if n not in found}
    if others:
        differences = ", ".join(
            f"{name} is {value} there and {wanted.get(name)} here" for name, value in others.items()
        )
        raise InvalidArgument(
            f"{path} was made with other settings ({differences}): use the same settings or "
            "another folder"
        )
