"""Scripts as they lie on a disk: Python files, notebooks and folders of both."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from traindx.records import InputError

SUFFIXES = (".py", ".ipynb")
SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist", "venv"})
"""Folders that hold no scripts of one's own; those whose name begins with a dot are skipped too."""

MAGIC = re.compile(r"^(\s*)(?:\S+\s*=\s*)?[%!?].*|^(\s*)\S.*\?\s*$")
PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")
"""Cell magics whose cell is Python; the cells of others hold another language."""


class Place(NamedTuple):
    """A line as a reader counts it: the notebook's code cell, None in a file, and the line in it."""

    cell: int | None
    line: int


@dataclass(frozen=True)
class Source:
    """A script's code, and where each of its lines stands."""

    path: str
    lines: tuple[str, ...]
    places: tuple[Place, ...]
    tree: ast.Module


def find(paths: Iterable[Path]) -> list[Path]:
    """The scripts that the paths name; a folder stands for those in it, at any depth. Raises InputError."""
    found = dict.fromkeys(script for path in paths for script in _scripts(path))
    return list(found)


def _scripts(path: Path) -> Iterator[Path]:
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file() and not _is_skipped(p.relative_to(path)))
        if not inside:
            raise InputError(
                "SCRIPT", f"no .py or .ipynb file in the folder {path}", "name a script, a notebook or a folder that holds some"
            )
        yield from inside
    elif not path.exists():
        raise InputError("SCRIPT", f"no file {path}", "name a script, a notebook or a folder that holds some")
    elif path.suffix == ".ipynb" or path.suffix == ".py" or path.suffix == "":
        yield path
    else:
        raise InputError("SCRIPT", f"{path} ends in {path.suffix}", "name a .py or .ipynb file, or a folder")


def _is_skipped(within: Path) -> bool:
    return any(part in SKIPPED or part.startswith(".") for part in within.parts)


def read(path: Path) -> Source:
    """Parse a script without running it. Raises InputError that names the file, the line and what is wrong with it."""
    raw = _bytes(path)
    code, places = _notebook(path, raw) if path.suffix == ".ipynb" else _plain(path, raw)
    return Source(str(path), tuple(code.split("\n")), places, _parsed(path, code, places))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError("SCRIPT", f"{path} cannot be read ({error.strerror})", "name a file that you may read") from error


def _plain(path: Path, raw: bytes) -> tuple[str, tuple[Place, ...]]:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        code = raw.decode(encoding)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise InputError(
            "SCRIPT", f"{path} is not text as Python reads it ({error})", "save it as UTF-8, or declare its encoding"
        ) from error
    code = code.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\f", " ")
    return code, tuple(Place(None, i) for i in range(1, code.count("\n") + 2))


def _notebook(path: Path, raw: bytes) -> tuple[str, tuple[Place, ...]]:
    """The code cells of a notebook as one script."""
    try:
        cells = [cell for cell in json.loads(raw)["cells"] if cell["cell_type"] == "code"]
        codes = ["".join(cell["source"]) for cell in cells]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "SCRIPT", f"{path} is no notebook of format 4 ({type(error).__name__}: {error})", "save it again in Jupyter"
        ) from error
    lines: list[str] = []
    places: list[Place] = []
    for number, code in enumerate(codes, start=1):
        cell = _without_magics(code)
        lines += cell
        places += [Place(number, i) for i in range(1, len(cell) + 1)]
    return "\n".join(lines), tuple(places or [Place(1, 1)])


def _without_magics(code: str) -> list[str]:
    """The lines of a cell, with ``pass`` for those that are IPython's and not Python's, so that all others stay where they are."""
    lines = code.replace("\r\n", "\n").split("\n")
    if lines[0].startswith("%%"):
        if not lines[0].startswith(PYTHON_MAGICS):
            return ["" for _ in lines]
        lines[0] = ""
    # A line may begin with % inside an expression, so only a line that Python stumbles over is taken for a magic.
    while (wrong := _wrong_line(lines)) is not None and (found := MAGIC.match(lines[wrong])):
        lines[wrong] = f"{found[1] or found[2] or ''}pass"
    return lines


def _wrong_line(lines: list[str]) -> int | None:
    """The line at which Python's parser stops, counted from 0."""
    try:
        _parse("\n".join(lines))
    except SyntaxError as error:
        return min(max(error.lineno or 1, 1), len(lines)) - 1
    return None


def _parse(code: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a script's own odd escapes are not ours to report
        return ast.parse(code)


def _parsed(path: Path, code: str, places: tuple[Place, ...]) -> ast.Module:
    try:
        return _parse(code)
    except SyntaxError as error:
        place = places[min(max(error.lineno or 1, 1), len(places)) - 1]
        where = f"line {place.line}" if place.cell is None else f"cell {place.cell}, line {place.line}"
        raise InputError("SCRIPT", f"{path}, {where}: {error.msg}", "mend the syntax; code for Python 2 cannot be read") from error
    except (ValueError, RecursionError) as error:
        raise InputError("SCRIPT", f"{path} cannot be parsed ({error})", "give code that Python itself can compile") from error
