"""Names of golden files say which format version they were written with."""


def check_version(name: str, version: int) -> None:
    """Refuse to write a golden file under the name of another format version.

    name: of the file. version: the one that this release writes.
    """
    if not name.startswith(f"v{version}-"):
        raise RuntimeError(
            f"{name} is missing, but this release writes format version {version}: restore the "
            f"file if it was lost, or name a new case v{version}-..."
        )
