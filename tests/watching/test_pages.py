"""Every defect has its page, and the page's example is found to have it."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from traindx.records import Branch
from traindx.watching.defects import DETECTORS, Detector

CAUSES = Path(__file__).resolve().parents[2] / "docs" / "causes"
HEADINGS = (
    "What it is",
    "Why it looks like something else",
    "Signs",
    "The experiment that settles it",
    "Remedy",
    "What clears it",
    "Example",
    "Measured",
    "Sources",
)
DEFECTS = [kind for kind in DETECTORS if kind.branch is Branch.DEFECT]


def named(kind: type[Detector]) -> str:
    return kind.cause


def page(kind: type[Detector]) -> str:
    return (CAUSES / f"{kind.cause}.md").read_text()


@pytest.mark.parametrize("kind", DEFECTS, ids=named)
def test_page_has_the_headings_in_order_and_stands_in_the_index(kind: type[Detector]) -> None:
    text = re.sub(r"^```.*?^```$", "", page(kind), flags=re.MULTILINE | re.DOTALL)
    assert text.startswith(f"# {kind.cause}\n")
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == HEADINGS
    assert f"Branch: `{kind.branch}`." in text
    assert f"| [{kind.cause}]({kind.cause}.md) | `{kind.branch}` |" in (CAUSES / "README.md").read_text()


@pytest.mark.parametrize("kind", DEFECTS, ids=named)
def test_page_states_every_threshold_of_its_detector(kind: type[Detector]) -> None:
    module = importlib.import_module(kind.__module__)
    tree = ast.parse(Path(str(module.__file__)).read_text())
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    names = {e.id for t in targets for e in ast.walk(t) if isinstance(e, ast.Name) and e.id.isupper() and not e.id.startswith("_")}
    stated = set(re.findall(rf"`(?:defects\.)?{module.__name__.rpartition('.')[2]}\.([A-Z_]+) = ", page(kind)))
    assert names - stated - {"MOST_ROWS", "ROWS_A_BATCH", "NUMBERS"} == set()  # sizes of memory, no thresholds


@pytest.mark.parametrize("kind", DEFECTS, ids=named)
@pytest.mark.filterwarnings("ignore:Detected call of")
def test_the_example_is_found_to_have_the_defect(kind: type[Detector], capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", page(kind), re.MULTILINE | re.DOTALL)
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    exec(compile(example, f"{kind.cause}.py", "exec"), names)
    assert names["w"].findings[0].cause == kind.cause
    shown = capsys.readouterr()
    assert kind.cause in shown.out
    assert f"suspected {kind.cause}" in shown.err


def test_every_detector_stands_in_a_file_of_its_cause() -> None:
    files = {kind.__module__.rpartition(".")[2] for kind in DETECTORS}
    members = {path.stem for path in Path(importlib.import_module("traindx.watching.defects").__path__[0]).glob("*.py")}
    assert members - {"__init__", "base"} == files
    assert {kind.cause.replace("-", "_") for kind in DETECTORS} - files == {"non_finite_data"}  # a batch behind a loss that is not finite
