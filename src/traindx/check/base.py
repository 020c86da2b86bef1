"""What a rule is, and what it says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from traindx.check.script import Script


class Level(StrEnum):
    """How much a violation weighs; the names are those of SARIF. A note does not change the exit status."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Spot(NamedTuple):
    """Where a rule is broken, and what stands there."""

    node: ast.AST
    message: str


@dataclass(frozen=True, order=True)
class Violation:
    """A broken rule at a place of a file.

    Lines and columns count from 1, as editors do. In a notebook ``cell`` counts its code cells from 1 and the line is that of the cell.
    """

    path: str
    cell: int | None
    line: int
    column: int
    code: str
    name: str
    level: Level
    message: str

    @property
    def place(self) -> str:
        """As terminals and editors make links of it: ``train.py:12:5``, in a notebook ``train.ipynb:cell 3:12:5``."""
        cell = "" if self.cell is None else f":cell {self.cell}"
        return f"{self.path}{cell}:{self.line}:{self.column}"


class Rule(Protocol):
    """One mistake that can be seen without running the script.

    The code is permanent. Precision comes first: a rule reports what it is sure of and says nothing where a value, a function or a class that
    matters is out of sight.
    """

    code: str
    name: str
    level: Level
    summary: str

    def spots(self, script: Script) -> Iterator[Spot]:
        """Every place where the rule is broken."""
        ...
