"""Every remedy is handed over as a script that gives its numbers: `export` runs each before it writes it, and refuses one that does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import users_trainings as programs
from handed_over import Program, ref, treated
from torch import nn

from traindx.handover import export
from traindx.records import Recipe
from traindx.remedies import REMEDIES
from traindx.tasks import Task

CASES: dict[str, tuple[Program, dict[str, Any]]] = {
    "scale-rate": (programs.plain_table, {"factor": 0.5}),
    "more-epochs": (programs.plain_table, {}),
    "align-shapes": (programs.plain_table, {}),
    "clip-gradients": (programs.plain_table, {}),
    "insert-activations": (programs.affine, {}),
    "linear-output": (programs.squashed, {}),
    "loosen-clipping": (programs.careless, {}),
    "mean-reduction": (programs.summed, {}),
    "output-width": (programs.affine, {"width": 12}),
    "proper-loss": (programs.distances, {}),
    "reinitialize": (programs.sigmoids, {}),
    "remove-regularization": (programs.careless, {}),
    "perturb-start": (programs.sigmoids, {}),
    "escape-saddle": (programs.sigmoids, {}),
    "scale-batch": (programs.careless, {"factor": 0.5}),
    "set-momentum": (programs.pictures, {}),
    "set-optimizer": (programs.sigmoids, {}),
    "set-schedule": (programs.careless, {}),
    "shuffle": (programs.careless, {}),
    "sigmoid-output": (programs.one_unit, {}),
    "standardize-targets": (programs.plain_table, {}),
    "unfreeze": (programs.careless, {}),
    "warm-up": (programs.words, {}),
    "stop-early": (programs.words, {}),
    "weight-decay": (programs.pictures, {}),
    "standardize-inputs": (programs.sigmoids, {}),
    "drop-suspect-labels": (programs.words, {}),
    "importance-weights": (programs.sigmoids, {}),
    "match-class-proportions": (programs.sigmoids, {}),
    "swap-activations": (programs.sigmoids, {}),
    "insert-normalization": (programs.pictures, {}),
    "add-skips": (programs.sigmoids, {}),
    "dropout": (programs.pictures, {}),
    "narrow": (programs.pictures, {}),
    "widen": (programs.sigmoids, {}),
    "deepen": (programs.words, {}),
    "fewer-rows": (programs.pictures, {}),
    "augment": (programs.pictures, {"shift": 1, "mirror": True}),
    "fill-missing": (programs.gaps, {}),
    "repair-labels": (programs.pictures, {}),
    "remove-duplicates": (programs.careless, {}),
    "realign-labels": (programs.plain_table, {"offset": 1}),
    "align-test-inputs": (programs.sigmoids, {}),
    "align-validation-inputs": (programs.validated_in_other_units, {}),
    "balance-classes": (programs.rare, {}),
    "augment-signals": (programs.signals, {}),
    "black-box-shift": (programs.sigmoids, {}),
    "class-weights": (programs.rare, {}),
    "ensemble": (programs.pictures, {}),
    "erase": (programs.pictures, {}),
    "input-noise": (programs.sigmoids, {}),
    "label-smoothing": (programs.rare, {}),
    "mix-up": (programs.pictures, {}),
    "robust-loss": (programs.pictures, {}),
    "share-parameters": (programs.signals, {}),
}


def test_every_remedy_has_a_case() -> None:
    assert set(CASES) == {remedy.id for remedy in REMEDIES}


def short(program: Program) -> Program:
    def shortened() -> tuple[Task, Recipe]:
        task, recipe = program()
        return task, recipe.replace(epochs=min(recipe.epochs, 3))

    return shortened


def undefined_names(script: Path) -> str:
    """What a linter says of names that are not defined, not used, or defined twice."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "E9,F", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("id", CASES)
def test_a_remedy_is_told_in_code(id: str, tmp_path: Path) -> None:
    program, params = CASES[id]
    files = export(treated(short(program), ref(id, **params)), tmp_path / "fixed.py")
    assert undefined_names(files.script) == ""
    assert "traindx" not in files.script.read_text().partition('"""\n\n')[2]


@pytest.mark.parametrize(
    "ids",
    [("standardize-inputs", "insert-normalization", "dropout"), ("fill-missing", "standardize-inputs", "standardize-targets")],
    ids="+".join,
)
def test_remedies_on_top_of_one_another_are_told_together(ids: tuple[str, ...], tmp_path: Path) -> None:
    program = programs.gaps if "fill-missing" in ids else programs.pictures
    files = export(treated(short(program), *(ref(id) for id in ids)), tmp_path / "fixed.py")
    assert undefined_names(files.script) == ""
    assert "def prepare(" in files.script.read_text()


PIPELINES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rearranged": lambda x: x.reshape(-1, 8, 8).swapaxes(1, 2).reshape(-1, 64),
    "reordered": lambda x: np.roll(x, 3, 1),
    "turned": lambda x: np.where(np.arange(64) == 20, -x, x),
    "monotone": np.exp,
}


@pytest.mark.parametrize("kind", PIPELINES)
def test_every_map_of_test_inputs_is_told_in_code(kind: str, tmp_path: Path) -> None:
    def program() -> tuple[Task, Recipe]:
        x, y = programs.digits(1400)
        test = (np.ascontiguousarray(PIPELINES[kind](x[1100:])), y[1100:])
        return Task(programs.Sigmoids, nn.CrossEntropyLoss(), (x[:1100], y[:1100]), test=test), Recipe(lr=0.1, epochs=2)

    files = export(treated(program, ref("align-test-inputs", kind=kind)), tmp_path / "fixed.py")
    assert undefined_names(files.script) == ""
    assert "prepare_test(" in files.script.read_text()
