"""Long work that goes on from what an earlier run left."""

from pathlib import Path
from typing import Any

from pranc_codec.errors import InvalidArgument


def check_settings(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """What goes on from a file, or takes it for its result, has the settings that made it."""
    others = {n: v for n, v in found.items() if wanted.get(n) != v}
    others |= {n: None for n in wanted if n not in found}
    if others:
        differences = ", ".join(f"{n} {v} there, {wanted.get(n)} here" for n, v in others.items())
        raise InvalidArgument(
            f"{path} is of a training with other settings ({differences}): repeat them or use "
            "another folder"
        )
