"""A Sphinx extension that reads docstrings as this project writes them.

They are plain text: paragraphs; `name: what it is` for arguments, continued on indented lines or
after a full stop; indented blocks for examples and tables; names between backticks. Sphinx reads
reStructuredText, in which most of this means something else, so it is rewritten before that.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any, Final

SPECIAL: Final = re.compile(r"([\\*|]|(?<=\w)_(?!\w))")
CODE: Final = re.compile(r"(`[^`]*`)")


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("autodoc-process-docstring", rewrite)
    return {"parallel_read_safe": True}


def rewrite(
    app: object, kind: str, name: str, documented: object, options: object, lines: list[str]
) -> None:
    """Replace the lines of one docstring by reStructuredText."""
    names = parameters_of(documented)
    lines[:] = [line for block in blocks_of(lines) for line in [*rendered(block, names), ""]]


def parameters_of(documented: object) -> set[str]:
    """The names of a function's or class's arguments."""
    try:
        return set(inspect.signature(documented).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return set()


def blocks_of(lines: list[str]) -> Iterator[list[str]]:
    """Runs of lines between empty ones; indented runs that follow each other are one block."""
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            if block and not block[-1] and not line.startswith(" "):
                yield block[:-1]
                block = []
            block.append(line)
        elif block and block[0].startswith(" "):
            block.append("")
        elif block:
            yield block
            block = []
    if block:
        yield block


def rendered(block: list[str], names: set[str]) -> list[str]:
    """One block: an example as it is, arguments as a list of fields, text as a paragraph."""
    if block[0].startswith(("    ", ">>>")):
        start = "" if block[0].startswith(" ") else "    "
        return ["::", "", *(start + line for line in block)]
    out: list[str] = []
    hangs = any(line.startswith(" ") for line in block)
    for text in items_of(block, names):
        found = re.match(r"(\w+)(?:: | (?=\())(.*)" if hangs else r"(\w+): (.*)", text)
        if found and found[1] in names:
            out.append(f":param {found[1]}: {escaped(found[2])}")
        else:
            out += ["", escaped(text), ""]
    return out


def items_of(block: list[str], names: set[str]) -> Iterator[str]:
    """The arguments of a block, each with its continuation; or the block as one paragraph."""
    hangs = any(line.startswith(" ") for line in block)
    joined: list[str] = []
    for line in block:
        if joined and (line.startswith(" ") or not hangs):
            joined[-1] += " " + line.strip()
        else:
            joined.append(line.strip())
    starts = "|".join(map(re.escape, sorted(names))) or "(?!)"
    for text in joined:
        yield from re.split(rf"(?<=\.) (?=(?:{starts}): )", text)


def escaped(text: str) -> str:
    """Text whose stars, bars and final underscores mean nothing, except within backticks.

    A backslash parts what is within backticks from letters right behind it (`partial`s).
    """
    parts = CODE.split(text)
    safe = [p if p.startswith("`") else SPECIAL.sub(r"\\\1", p) for p in parts]
    return re.sub(r"(`[^`]*`)(?=\w)", r"\1\\ ", "".join(safe))
