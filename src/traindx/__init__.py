"""traindx finds out why a neural network does not train or does not generalise, and proves its remedy.

Names are loaded on first use, so that ``import traindx`` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from traindx.api import diagnose, train, treat
    from traindx.records import (
        Branch,
        Diagnosis,
        Evidence,
        Finding,
        InputError,
        NotApplicable,
        Outcome,
        Recipe,
        Run,
        Standing,
        TraindxError,
        Treatment,
    )
    from traindx.tasks import Task
    from traindx.watching import watch

__version__ = "0.1.0"

_HOME = {
    "Branch": "records",
    "Diagnosis": "records",
    "Evidence": "records",
    "Finding": "records",
    "InputError": "records",
    "NotApplicable": "records",
    "Outcome": "records",
    "Recipe": "records",
    "Run": "records",
    "Standing": "records",
    "Task": "tasks",
    "TraindxError": "records",
    "Treatment": "records",
    "diagnose": "api",
    "train": "api",
    "treat": "api",
    "watch": "watching",
}

__all__ = [
    "Branch",
    "Diagnosis",
    "Evidence",
    "Finding",
    "InputError",
    "NotApplicable",
    "Outcome",
    "Recipe",
    "Run",
    "Standing",
    "Task",
    "TraindxError",
    "Treatment",
    "diagnose",
    "train",
    "treat",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"traindx.{_HOME[name]}"), name)
    raise AttributeError(f"module 'traindx' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
