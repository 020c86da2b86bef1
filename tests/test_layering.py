"""A part imports only from parts above it, and the parts that handle records load without PyTorch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "traindx"

PARTS = (
    "records",
    "curvature",
    "tasks",
    "training",
    "remedies",
    "probes",
    "experiments",
    "diagnosis",
    "store",
    "report",
    "handover",
    "watching",
    "treatment",
    "api",
    "labs",
    "check",
    "integrations",
    "cli",
    "web",
)
"""From top to bottom: each may import those before it."""

ALONE = ("curvature",)
"""These import nothing of the project: they are useful and testable by themselves."""

WITHOUT_TORCH = ("records", "diagnosis", "store", "report", "web")
CONVENIENCES = {"report": ("_saved", "__str__", "_repr_html_"), "handover": ("export",)}
"""The functions of records.py that import another part when they are called."""


# --- What a file imports -----------------------------------------------------------------------------------------------------------


class Import(NamedTuple):
    """One imported module of the project, as ``("traindx", "records", ...)``, and the functions around the statement."""

    line: int
    module: tuple[str, ...]
    functions: tuple[str, ...]


def imports(code: str, package: tuple[str, ...]) -> Iterator[Import]:
    """Every import of a module of traindx, wherever it stands; ``package`` is the one that relative imports start from."""
    yield from _imports(ast.parse(code), package, ())


def _imports(node: ast.AST, package: tuple[str, ...], functions: tuple[str, ...]) -> Iterator[Import]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        functions = (*functions, node.name)
    for module in _modules(node, package):
        if module[0] == "traindx":
            yield Import(node.lineno, module, functions)
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, package, functions)


def _modules(node: ast.AST, package: tuple[str, ...]) -> list[tuple[str, ...]]:
    match node:
        case ast.Import(names=names):
            return [tuple(alias.name.split(".")) for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            return [(*_absolute(module or "", level, package), alias.name) for alias in names]
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=[ast.Constant(value=str(name)), *_]):
            if called in ("import_module", "__import__"):
                rest = name.lstrip(".")
                return [_absolute(rest, len(name) - len(rest), package)]
    return []


def _absolute(name: str, level: int, package: tuple[str, ...]) -> tuple[str, ...]:
    """A module's full name; ``level`` counts the leading dots."""
    start = package[: len(package) - level + 1] if level else ()
    return (*start, *(name.split(".") if name else ()))


# --- What is wrong with it ---------------------------------------------------------------------------------------------------------


def violations(source: Path) -> list[str]:
    """Every import under ``source`` that goes against the order of the parts, as ``file:line: what is wrong``."""
    found = []
    for path in sorted(source.rglob("*.py")):
        within = path.relative_to(source)
        if within.parts in (("__init__.py",), ("__main__.py",)):
            continue
        part = within.parts[0].removesuffix(".py")
        if part not in PARTS:
            found.append(f"{within}: {part} has no place in the order of the parts; give it one in {Path(__file__).name}")
            continue
        for found_import in imports(path.read_text(encoding="utf-8"), ("traindx", *within.parent.parts)):
            wrong = _wrong(part, found_import)
            if wrong:
                found.append(f"{within}:{found_import.line}: {wrong}")
    return found


def _wrong(part: str, found: Import) -> str:
    imported = found.module[1] if len(found.module) > 1 else ""
    if imported == part or imported == "__version__":
        return ""
    if imported not in PARTS:
        return f"{'.'.join(found.module)} hides which part is meant; import from that part"
    if part in ALONE:
        return f"{part} imports nothing of the project, and this imports {imported}"
    if part == "records" and found.functions and found.functions[-1] in CONVENIENCES.get(imported, ()):
        return ""
    if PARTS.index(imported) > PARTS.index(part):
        return f"{part} stands above {imported} and cannot import it"
    return ""


def test_a_part_imports_only_from_parts_above_it() -> None:
    assert violations(SOURCE) == []


# --- The check itself --------------------------------------------------------------------------------------------------------------


def planted(tmp_path: Path, name: str, code: str) -> list[str]:
    """The violations of a tree with this one file."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code, encoding="utf-8")
    return violations(tmp_path)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("tasks/base.py", "from traindx.training import fit"),
        ("tasks/base.py", "import traindx.training.loop as loop"),
        ("tasks/base.py", "from traindx import training"),
        ("tasks/base.py", "from ..training import fit"),
        ("tasks/base.py", "from .. import training"),
        ("tasks/readers/csv.py", "from ...training import fit"),
        ("tasks/__init__.py", "from ..training import fit"),
        ("tasks/base.py", "def f():\n    from traindx.api import diagnose"),
        ("tasks/base.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from traindx.api import diagnose"),
        ("tasks/base.py", "try:\n    import traindx.web\nexcept ImportError:\n    pass"),
        ("tasks/base.py", "import importlib\nweb = importlib.import_module('traindx.web')"),
        ("tasks/base.py", "from importlib import import_module\nweb = import_module('..web', __package__)"),
        ("records.py", "from traindx import report"),
        ("records.py", "def other():\n    from traindx import report"),
        ("records.py", "def _saved():\n    from traindx import store"),
        ("curvature/hvp.py", "from traindx.records import Curve"),
        ("api.py", "import traindx"),
        ("api.py", "from traindx import Task"),
        ("utils.py", ""),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, name: str, code: str) -> None:
    found = planted(tmp_path, name, code)
    assert len(found) == 1
    assert found[0].startswith(name)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (
            "training/loop.py",
            "import torch\nfrom traindx.tasks import Task\nfrom traindx.training.base import Callback\nfrom . import schedule",
        ),
        ("training/loop.py", "from ..records import Recipe\nfrom traindx import records, __version__"),
        (
            "records.py",
            "def _saved():\n    from traindx import report\nclass A:\n    def __str__(self):\n        from traindx.report import to_text",
        ),
        ("curvature/lanczos.py", "import torch\nfrom .hvp import hvp"),
        ("web/__init__.py", "from traindx.cli import main"),
        ("__init__.py", "from traindx.api import diagnose"),
        ("__main__.py", "from traindx.cli import main"),
    ],
)
def test_an_import_from_above_is_left_alone(tmp_path: Path, name: str, code: str) -> None:
    assert planted(tmp_path, name, code) == []


# --- Without PyTorch ---------------------------------------------------------------------------------------------------------------

LOAD = """
import importlib, pkgutil, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"{name} is imported where no torch may be needed", name=name)

sys.meta_path.insert(0, NoTorch())
part = importlib.import_module(sys.argv[1])
for found in pkgutil.walk_packages(getattr(part, "__path__", []), sys.argv[1] + "."):
    if ".migrations" not in found.name:  # those are run by alembic, not imported
        importlib.import_module(found.name)
"""


def load_without_torch(module: str, *, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Import a module and all below it where no torch can be imported."""
    return subprocess.run([sys.executable, "-c", LOAD, module], capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize(
    "part", [part for part in WITHOUT_TORCH if any(SOURCE.glob(f"{part}.py")) or any(SOURCE.glob(f"{part}/__init__.py"))]
)
def test_a_part_that_handles_records_loads_without_torch(part: str) -> None:
    loaded = load_without_torch(f"traindx.{part}")
    assert loaded.returncode == 0, loaded.stderr


@pytest.mark.parametrize("code", ["import torch", "from torch.nn import Module"])
def test_an_import_of_torch_is_noticed(tmp_path: Path, code: str) -> None:
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "__init__.py").write_text("")
    (tmp_path / "planted" / "inner.py").write_text(code)
    loaded = load_without_torch("planted", folder=tmp_path)
    assert loaded.returncode != 0
    assert "no torch may be needed" in loaded.stderr
