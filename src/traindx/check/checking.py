"""All rules over all scripts."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from traindx.check.base import Level, Rule, Spot, Violation
from traindx.check.rules import RULES
from traindx.check.script import Script
from traindx.check.silence import is_silenced, skips_file
from traindx.check.sources import Source, find, read
from traindx.records import InputError


@dataclass(frozen=True)
class Checked:
    """What came of a check: how many scripts were read, what is wrong in them, and which could not be read, each with a reason."""

    scripts: int
    violations: tuple[Violation, ...]
    unreadable: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether anything weighs more than a note."""
        return any(violation.level is not Level.NOTE for violation in self.violations)


def check(paths: Iterable[Path | str], ignore: Iterable[str] = ()) -> Checked:
    """Read training scripts without running them, and report the mistakes that can be seen there.

    A folder stands for the ``.py`` and ``.ipynb`` files in it. ``ignore`` names rules by code or name. Takes about 20 ms for a script of
    300 lines. Raises InputError for a path or a rule that does not exist; a file that cannot be parsed is among the ``unreadable``.
    """
    rules = _without(ignore)
    violations: list[Violation] = []
    unreadable: list[str] = []
    scripts = find(map(Path, paths))
    for path in scripts:
        try:
            violations += violations_in(read(path), rules)
        except InputError as error:
            unreadable.append(str(error))
        except RecursionError:
            unreadable.append(f"SCRIPT: {path} is nested too deep to follow; split its longest expression or chain of branches")
    return Checked(len(scripts) - len(unreadable), tuple(violations), tuple(unreadable))


def violations_in(source: Source, rules: Sequence[Rule] = RULES) -> list[Violation]:
    """The violations in one script that no comment silences, in the order of its lines."""
    if skips_file(source.lines):
        return []
    script = Script(source.tree)
    found = {_violation(source, rule, spot) for rule in rules for spot in rule.spots(script) if not _is_silenced(source, rule, spot)}
    return sorted(found, key=lambda v: (v.cell or 0, v.line, v.column, v.code))


def _without(ignore: Iterable[str]) -> list[Rule]:
    ignored = set(ignore)
    known = {key for rule in RULES for key in (rule.code, rule.name)}
    for name in sorted(ignored - known):
        raise InputError("--ignore", f"found {name!r}", "give the code or the name of a rule, as `traindx check` prints them")
    return [rule for rule in RULES if not ignored & {rule.code, rule.name}]


def _violation(source: Source, rule: Rule, spot: Spot) -> Violation:
    place = source.places[_line(spot.node) - 1]
    column = getattr(spot.node, "col_offset", 0) + 1
    return Violation(source.path, place.cell, place.line, column, rule.code, rule.name, rule.level, spot.message)


def _is_silenced(source: Source, rule: Rule, spot: Spot) -> bool:
    last = min(getattr(spot.node, "end_lineno", None) or _line(spot.node), len(source.lines))
    lines = {_line(spot.node)} if isinstance(spot.node, ast.stmt) and hasattr(spot.node, "body") else {_line(spot.node), last}
    return any(is_silenced(source.lines[line - 1], rule.code, rule.name) for line in lines)


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 1)
