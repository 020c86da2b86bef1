"""What a check found, as text for a terminal, JSON, SARIF 2.1.0 for code-scanning services, or annotations for GitHub's logs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from traindx import __version__
from traindx.check.base import Level, Violation
from traindx.check.checking import Checked
from traindx.check.rules import RULES

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(checked: Checked) -> str:
    """A line for each violation, and one that counts them."""
    lines = [f"{v.place}: {v.code} {v.name}: {v.message}" for v in checked.violations]
    count = len(lines)
    read = f"{checked.scripts} script{'s' if checked.scripts != 1 else ''}"
    return "\n".join([*lines, f"{read}: {count or 'no'} violation{'s' if count != 1 else ''}"])


def as_json(checked: Checked) -> str:
    """``{"scripts", "violations": [{path, cell, line, column, code, name, level, message}], "unreadable"}``."""
    violations = [{name: getattr(v, name) for name in Violation.__dataclass_fields__} for v in checked.violations]
    return json.dumps({"scripts": checked.scripts, "violations": violations, "unreadable": checked.unreadable}, indent=2)


def as_sarif(checked: Checked) -> str:
    """A log of one run, with every rule; a cell of a notebook stands in the message, as SARIF has no place for it."""
    rules = [
        {"id": r.code, "name": r.name, "shortDescription": {"text": r.summary}, "defaultConfiguration": {"level": r.level.value}}
        for r in RULES
    ]
    driver = {"name": "traindx", "version": __version__, "rules": rules}
    failures = [{"level": "error", "message": {"text": reason}} for reason in checked.unreadable]
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": not failures, "toolExecutionNotifications": failures}],
        "results": [_result(v) for v in checked.violations],
        "columnKind": "utf16CodeUnits",
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(violation: Violation) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": quote(PurePath(violation.path).as_posix())}}
    message = violation.message
    if violation.cell is None:
        location["region"] = {"startLine": violation.line, "startColumn": violation.column}
    else:
        message = f"cell {violation.cell}, line {violation.line}: {message}"
    rule = {"ruleId": violation.code, "ruleIndex": [r.code for r in RULES].index(violation.code), "level": violation.level.value}
    return {**rule, "message": {"text": message}, "locations": [{"physicalLocation": location}]}


def as_github(checked: Checked) -> str:
    """A workflow command for each violation, which GitHub shows beside the line."""
    return "\n".join(_annotation(v) for v in checked.violations)


def _annotation(violation: Violation) -> str:
    command = "notice" if violation.level is Level.NOTE else violation.level.value
    place = f"line={violation.line},col={violation.column}," if violation.cell is None else ""
    cell = "" if violation.cell is None else f"cell {violation.cell}, line {violation.line}: "
    file, title = _property(violation.path), _property(f"{violation.code} {violation.name}")
    return f"::{command} file={file},{place}title={title}::{_data(cell + violation.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


FORMATS: dict[str, Callable[[Checked], str]] = {"text": as_text, "json": as_json, "sarif": as_sarif, "github": as_github}
