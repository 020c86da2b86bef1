"""``file.py:name``: a Task, a (Task, Recipe) pair, or a function that returns one."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from typing import Any

from torch import nn

from traindx.records import InputError, Recipe
from traindx.tasks.task import Task

_FORMS = "define a Task, a (Task, Recipe) pair, or a function that returns one"


def read_python(source: str) -> tuple[Task, Recipe]:
    """What the file defines under this name; the recipe's defaults where it gives a task alone.

    Raises:
        InputError: when the file cannot be imported (its line is named), or the name is not a task.

    """
    file, _, name = source.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise InputError("SOURCE", f"no file {path}", "give file.py:name")
    found: Any = _module(path)
    for part in name.split("."):
        if not hasattr(found, part):
            raise InputError("SOURCE", f"{path.name} has no {name!r}", _FORMS)
        found = getattr(found, part)
    if callable(found) and not isinstance(found, (Task, nn.Module)):
        found = _called(found, name, path)
    if isinstance(found, Task):
        return found, Recipe()
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], Task) and isinstance(found[1], Recipe):
        return found
    raise InputError("SOURCE", f"{name} in {path.name} is {type(found).__name__}", _FORMS)


def _module(path: Path) -> Any:
    """The file as a module under its own name, so that what it defines can be pickled; its folder is importable."""
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's code: whatever it raises is what was found
        del sys.modules[path.stem]
        raise InputError("SOURCE", f"importing {path.name} failed: {_where(error, path)}", "mend the file") from error
    return module


def _called(function: Any, name: str, path: Path) -> Any:
    try:
        return function()
    except InputError:
        raise
    except Exception as error:  # the user's code, as above
        raise InputError("SOURCE", f"{name}() in {path.name} failed: {_where(error, path)}", "mend the file") from error


def _where(error: Exception, path: Path) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == path.name]
    at = f" (line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{at}"
