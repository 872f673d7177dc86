"""What the package exports is listed and described, and what it imports is declared."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import aecodec

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "aecodec"
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn"}  # where they are not called as their module


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_all_names_are_those_that_the_package_imports() -> None:
    imports = [
        node
        for node in ast.walk(parsed(PACKAGE / "__init__.py"))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aecodec.")
    ]
    names = {alias.asname or alias.name for node in imports for alias in node.names}
    assert aecodec.__all__ == sorted(names | {"__version__"})


@pytest.mark.parametrize("name", sorted(set(aecodec.__all__) - {"__version__"}))
def test_exported_names_are_there_and_described(name: str) -> None:
    described = inspect.getdoc(getattr(aecodec, name)) or ""
    first = described.partition("\n\n")[0]
    assert len(first.split()) >= 5
    assert first.endswith((".", ":"))


def imported(node: ast.AST) -> Iterator[str]:
    """Names of the modules that run-time code imports: by statements, and by ``optional("module")``."""
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=str(module), level=0):
            yield module
        case ast.Call(func=ast.Name(id="optional"), args=[ast.Constant(value=str(module))]):
            yield module
    for child in ast.iter_child_nodes(node):
        yield from imported(child)


def test_all_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for name in extras if name != "dev" for line in extras[name])]
    declared = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in wanted}
    modules = {name.partition(".")[0] for path in PACKAGE.rglob("*.py") for name in imported(parsed(path))}
    modules -= {*sys.stdlib_module_names, "aecodec"}
    assert {"numpy", "torch", "imagecodecs"} <= modules
    assert {DISTRIBUTIONS.get(name, name).lower().replace("_", "-") for name in modules} <= declared
