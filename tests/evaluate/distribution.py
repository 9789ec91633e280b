"""Codecs that are announced as an installed distribution announces them."""

from pathlib import Path


def announce_codecs(folder: Path, /, **codecs: str) -> None:
    """Make a folder on the path look like an installed distribution with these entry points."""
    metadata = folder / "codecs_of_tests-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: codecs-of-tests\nVersion: 1\n")
    lines = [f"{name} = {target}\n" for name, target in codecs.items()]
    (metadata / "entry_points.txt").write_text("".join(["[pranc_codec.codecs]\n", *lines]))
