"""The four formats, and the rules' codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from traindx.check import RULES, Checked, Level, Violation
from traindx.check.formats import FORMATS

IN_FILE = Violation("a b/train.py", None, 12, 5, "TDX101", "missing-zero-grad", Level.ERROR, "100% wrong\nhere")
IN_CELL = Violation("x,y:z.ipynb", 3, 1, 2, "TDX502", "seeds-never-set", Level.NOTE, "no seed")
CHECKED = Checked(2, (IN_FILE, IN_CELL), ("SCRIPT: bad.py, line 1: no",))
NOTHING = Checked(1, (), ())


def test_text():
    assert FORMATS["text"](CHECKED).splitlines()[0] == "a b/train.py:12:5: TDX101 missing-zero-grad: 100% wrong"
    assert "x,y:z.ipynb:cell 3:1:2: TDX502 seeds-never-set: no seed" in FORMATS["text"](CHECKED)
    assert FORMATS["text"](CHECKED).endswith("2 scripts: 2 violations")
    assert FORMATS["text"](NOTHING) == "1 script: no violations"


def test_json():
    written = json.loads(FORMATS["json"](CHECKED))
    assert written["scripts"] == 2
    assert written["unreadable"] == ["SCRIPT: bad.py, line 1: no"]
    assert written["violations"][1] == {
        "path": "x,y:z.ipynb",
        "cell": 3,
        "line": 1,
        "column": 2,
        "code": "TDX502",
        "name": "seeds-never-set",
        "level": "note",
        "message": "no seed",
    }


def test_sarif():
    log = json.loads(FORMATS["sarif"](CHECKED))
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    first, second = run["results"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in rules] == [rule.code for rule in RULES]
    assert rules[first["ruleIndex"]]["id"] == first["ruleId"] == "TDX101"
    assert first["level"] == "error"
    place = first["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a%20b/train.py"}, "region": {"startLine": 12, "startColumn": 5}}
    assert "region" not in second["locations"][0]["physicalLocation"]
    assert second["message"]["text"] == "cell 3, line 1: no seed"
    assert run["invocations"][0]["executionSuccessful"] is False
    assert json.loads(FORMATS["sarif"](NOTHING))["runs"][0]["invocations"][0]["executionSuccessful"] is True


def test_github():
    first, second = FORMATS["github"](CHECKED).split("\n")
    assert first == "::error file=a b/train.py,line=12,col=5,title=TDX101 missing-zero-grad::100%25 wrong%0Ahere"
    assert second == "::notice file=x%2Cy%3Az.ipynb,title=TDX502 seeds-never-set::cell 3, line 1: no seed"
    assert FORMATS["github"](NOTHING) == ""


def test_codes_and_names_are_unique_and_in_order():
    codes = [rule.code for rule in RULES]
    assert codes == sorted(set(codes))
    assert all(re.fullmatch(r"TDX\d{3}", code) for code in codes)
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.code)
def test_every_rule_has_a_file_a_test_and_a_place_in_the_documentation(rule):
    file = rule.name.replace("-", "_")
    root = Path(__file__).parents[2]
    assert type(rule).__module__ == f"traindx.check.rules.{file}"
    assert (Path(__file__).parent / "rules" / f"test_{file}.py").exists()
    assert f"| {rule.code} | {rule.name} | {rule.level} | " in (root / "docs" / "check.md").read_text()
