"""Imports point down only, and the low floors know no torch."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import pranc_codec

PACKAGE = Path(__file__).parent.parent / "pranc_codec"
APP = PACKAGE.parent / "app"
FLOORS = [
    {"errors"},
    {"limits", "files"},
    {"basis", "entropy", "format"},
    {"precision", "pranc", "image", "view", "device", "resume", "metrics"},
    {"grid", "mlp"},
    {"decoder", "analysis"},
    {"encoder"},
    {"evaluate", "training", "condense"},
    {"__init__", "commands", "__main__", "pillow_plugin"},
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
NO_TORCH = ["errors", "limits", "files", "entropy", "format", "pranc/file_format", "basis/prng"]
"""Modules, and packages with all that is in them."""
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
"""By dotted name; that of a package ends in `__init__`."""


def target(name: str) -> str:
    """The module of a dotted name: itself, or the package's `__init__`."""
    return name if name in MODULES else f"{name}.__init__".removeprefix(".")


def modules_of(tree: ast.AST) -> set[str]:
    """Modules of the package that a file imports, by dotted name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pranc_codec":
            base = (node.module or "").partition(".")[2]
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix(".")
                is_module = target(inner) in MODULES
                found.add(target(inner) if is_module else target(base))
        elif isinstance(node, ast.Import):
            names = [
                a.name.partition(".")[2] for a in node.names if a.name.startswith("pranc_codec")
            ]
            found |= {target(name) for name in names}
    return found


def floor_of(module: str) -> int:
    return FLOOR[module.split(".")[0]]


def violations(module: str, source: str) -> list[str]:
    return [
        f"{module} (floor {floor_of(module)}) imports {other} (floor {floor_of(other)})"
        for other in modules_of(ast.parse(source)) - {module}
        if floor_of(other) > floor_of(module)
    ]


def order_of(sources: Iterable[tuple[str, str]]) -> list[str]:
    """Modules, each after those that it imports; CycleError where there is no such order."""
    imports = {module: modules_of(ast.parse(source)) - {module} for module, source in sources}
    return list(TopologicalSorter(imports).static_order())


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    assert violations(module, MODULES[module].read_text()) == []


def test_imports_make_no_circle():
    sources = [(module, path.read_text()) for module, path in MODULES.items()]
    assert set(order_of(sources)) == set(MODULES)


def test_packages_make_no_circle():
    """Nor do the rooms: packages and modules beside them, each as a whole."""
    imports: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        room = module.split(".")[0]
        others = {name.split(".")[0] for name in modules_of(ast.parse(path.read_text()))}
        imports.setdefault(room, set()).update(others - {room})
    assert set(TopologicalSorter(imports).static_order()) == set(FLOOR)


def test_the_checks_can_fail():
    assert violations("decoder", "from pranc_codec.encoder import encode")
    assert violations("errors", "import pranc_codec.basis.prng")
    assert not violations("encoder.encode", "from pranc_codec.decoder import decode")
    circle = [
        ("grid.context", "from pranc_codec.grid import blocks"),
        ("grid.blocks", "from pranc_codec.grid.context import PHASES"),
    ]
    with pytest.raises(CycleError):
        order_of(circle)


def without_torch() -> list[str]:
    return [
        module for module, path in MODULES.items() for start in NO_TORCH
        if path.is_relative_to(PACKAGE / start) or path == PACKAGE / f"{start}.py"
    ]  # fmt: skip


@pytest.mark.parametrize("module", without_torch())
def test_low_floors_know_no_torch(module):
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not any(n.split(".")[0] == "torch" for n in names)


def test_torch_is_loaded_when_a_name_needs_it():
    """The package, the command's first start, `evaluate` and the low floors load in a moment."""
    low = [m for m in without_torch() if m.split(".")[0] not in ("basis", "pranc")]
    names = [f"pranc_codec.{m.removesuffix('.__init__')}" for m in [*low, "__main__", "evaluate"]]
    script = (
        f"import sys, pranc_codec, {', '.join(names)}; assert 'torch' not in sys.modules; "
        "pranc_codec.decode; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_public_names_are_there():
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text()).body
    typed = {n.module: [a.name for a in n.names] for n in stub if isinstance(n, ast.ImportFrom)}
    assert typed == pranc_codec.NAMES
    assert len(pranc_codec.__all__) > 25
    for name in pranc_codec.__all__:
        assert getattr(pranc_codec, name).__module__.startswith("pranc_codec.")
    with pytest.raises(AttributeError, match="nonsense"):
        pranc_codec.nonsense  # noqa: B018


@pytest.mark.parametrize("path", sorted(APP.glob("*.py")), ids=lambda path: path.name)
def test_the_demo_uses_public_names_only(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pranc_codec"):
            public = set(importlib.import_module(node.module).__all__)
            assert {a.name for a in node.names} <= public, node.module
        elif isinstance(node, ast.Import):
            assert not any(a.name.startswith("pranc_codec.") for a in node.names)


@pytest.mark.parametrize("path", sorted([*PACKAGE.rglob("*.py"), *APP.glob("*.py")]), ids=str)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 320
