"""Treatments as if they had been found, and their scripts run alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import traindx as tdx
from traindx.handover import changes
from traindx.records import Diagnosis, Recipe, RemedyRef, Treatment
from traindx.remedies import make_remedy

Program = Callable[[], tuple[tdx.Task, Recipe]]
ALONE = "import runpy, sys; sys.modules['traindx'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"


def ref(id: str, **params: Any) -> RemedyRef:
    return RemedyRef(id=id, params=params)


def treated(program: Program, *refs: RemedyRef) -> Treatment:
    """The program with these remedies applied, as if they had been found."""
    task, recipe = program()
    changed, better = task, recipe
    for ref in refs:
        changed, better = make_remedy(ref).apply(changed, better)
    diagnosis = Diagnosis.model_construct(recipe=recipe)
    diagnosis._task = task
    treatment = Treatment.model_construct(
        key="",
        diagnosis=diagnosis,
        remedies=refs,
        recipe=better,
        changes=changes(refs, task, changed, recipe, better),
        verified=True,
        sentence="Verified.",
        comparisons=(),
    )
    treatment._task = changed
    return treatment


def printed(script: Path, *arguments: str) -> dict[str, float]:
    """What the script prints in a fresh process that has no traindx."""
    done = subprocess.run([sys.executable, "-c", ALONE, str(script), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.splitlines():
        split, _, numbers = line.partition(" ")
        found |= {f"{split} {name}": float(value) for name, value in (number.rsplit(" ", 1) for number in numbers.split(", "))}
    return found
