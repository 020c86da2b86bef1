"""Whole scripts: those with defects, whose lines say which by a comment, and correct ones in as many styles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from traindx.check import RULES, check

SCRIPTS = Path(__file__).parent / "scripts"
DEFECTS = sorted((SCRIPTS / "defects").glob("*.py"))
CORRECT = sorted((SCRIPTS / "correct").glob("*.py"))
MARK = re.compile(r"#.*\b(TDX\d+)$")


def marked(path: Path) -> set[tuple[int, str]]:
    lines = path.read_text().splitlines()
    return {(number, found[1]) for number, line in enumerate(lines, start=1) if (found := MARK.search(line))}


@pytest.mark.parametrize("path", DEFECTS, ids=lambda p: p.stem)
def test_defects_are_found_and_nothing_else(path):
    assert {(v.line, v.code) for v in check([path]).violations} == marked(path) != set()


@pytest.mark.parametrize("path", CORRECT, ids=lambda p: p.stem)
def test_nothing_is_found_in_a_correct_script(path):
    assert check([path]).violations == ()


def test_there_are_enough_scripts():
    assert len(DEFECTS) >= 40
    assert len(CORRECT) >= 20


def test_every_rule_has_a_script():
    assert {code for path in DEFECTS for _, code in marked(path)} == {rule.code for rule in RULES}
