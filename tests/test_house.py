"""Imports point down only, and the low floors know no torch."""

import ast
import importlib
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import pranc_codec

PACKAGE = Path(__file__).parent.parent / "pranc_codec"
APP = PACKAGE.parent / "app"
FLOORS = [
    {"errors"},
    {
        "prng", "tables", "entropy", "latents", "fields", "limits", "parameters", "bitstream",
        "sections", "files", "model_format", "shares",
    },
    {"threads", "signs", "permutation", "hash_basis", "dense_basis", "dct_basis"},
    {
        "basis", "layers", "generated", "owners", "side_tensors", "fingerprint",
        "model_file", "pranc", "precision", "quantize", "metrics", "image",
    },
    {
        "coordinate", "lifting", "wavelet", "context", "density", "sums", "exact_network", "exact",
        "synthesis", "priors",
    },
    {"extras", "mlp", "grid_latents", "grid", "decoder", "analysis"},
    {"encoder"},
    {"evaluate", "training", "condense"},
    {"__init__", "batch", "commands", "cli", "__main__", "pillow_plugin"},
]  # fmt: skip
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def modules_of(tree: ast.AST) -> set[str]:
    """Modules of the package that a file imports, by their first name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "pranc_codec":
            found |= {a.name if a.name in FLOOR else "__init__" for a in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pranc_codec."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names = [a.name.split(".") for a in node.names]
            found |= {n[1] if len(n) > 1 else "__init__" for n in names if n[0] == "pranc_codec"}
    return found


def violations(module: str, source: str) -> list[str]:
    return [
        f"{module} (floor {FLOOR[module]}) imports {other} (floor {FLOOR[other]})"
        for other in modules_of(ast.parse(source)) - {module}
        if FLOOR[other] > FLOOR[module]
    ]


def order_of(sources: list[tuple[str, str]]) -> list[str]:
    """Modules, each after those that it imports; CycleError where there is no such order."""
    imports: dict[str, set[str]] = {}
    for module, source in sources:
        imports.setdefault(module, set()).update(modules_of(ast.parse(source)) - {module})
    return list(TopologicalSorter(imports).static_order())


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_imports_point_down(path):
    assert violations(module_of(path), path.read_text()) == []


def test_imports_make_no_circle():
    sources = [(module_of(path), path.read_text()) for path in PACKAGE.rglob("*.py")]
    assert set(order_of(sources)) == set(FLOOR)


def test_the_checks_can_fail():
    assert violations("decoder", "from pranc_codec.encoder import fit")
    assert violations("errors", "import pranc_codec.prng")
    assert not violations("encoder", "from pranc_codec.decoder import decode")
    circle = [("grid", "from pranc_codec import mlp"), ("mlp", "import pranc_codec.grid")]
    with pytest.raises(CycleError):
        order_of(circle)


@pytest.mark.parametrize("name", sorted(FLOORS[0] | FLOORS[1]))
def test_low_floors_know_no_torch(name):
    for node in ast.walk(ast.parse((PACKAGE / f"{name}.py").read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not any(n.split(".")[0] == "torch" for n in names)


def test_torch_is_loaded_when_a_name_needs_it():
    """The package, the command's first start and the low floors take no second to import."""
    names = ["pranc_codec", *(f"pranc_codec.{n}" for n in FLOORS[0] | FLOORS[1] | {"__main__"})]
    script = (
        f"import sys, {', '.join(names)}; assert 'torch' not in sys.modules; "
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
