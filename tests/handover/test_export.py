"""Scripts that are run alone, in a fresh process that has no traindx, give the numbers of the treated training."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
import users_names
import users_trainings as programs
from handed_over import Program, printed, ref, treated
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

import traindx as tdx
from traindx.handover import export
from traindx.handover.changes import in_words
from traindx.handover.recipe_file import recipe_as_toml
from traindx.records import InputError, Recipe, RemedyRef


@pytest.mark.parametrize(
    ("program", "refs"),
    [
        (programs.sigmoids, [ref("swap-activations", to="relu")]),
        (programs.sigmoids, [ref("add-skips")]),
        (programs.pictures, [ref("insert-normalization"), ref("scale-rate", factor=3.0)]),
        (programs.pictures, [ref("augment", shift=1)]),
        (programs.plain_table, [ref("standardize-targets")]),
        (programs.plain_table, [ref("standardize-inputs"), ref("widen", factor=4)]),
        (programs.labels, [ref("scale-rate", factor=1000.0)]),
        (programs.words, [ref("scale-rate", factor=1000.0), ref("warm-up", share=0.2), ref("set-schedule", schedule="cosine")]),
        (programs.sequences, [ref("widen"), ref("scale-rate", factor=100.0)]),
        (programs.structured, []),
        (programs.structured, [ref("standardize-inputs"), ref("insert-normalization")]),
        (programs.rare, [ref("balance-classes")]),
        (users_names.by_name, []),
        (users_names.by_name, [ref("widen"), ref("set-schedule", schedule="cosine")]),
        (users_names.by_lambda, [ref("stop-early", patience=2)]),
        (programs.rare, [ref("stop-early", patience=2), ref("clip-gradients", norm=1.0), ref("deepen", width=16)]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "+".join(r.id for r in value),
)
def test_a_script_alone_gives_the_numbers(program: Program, refs: list[RemedyRef], tmp_path: Path) -> None:
    treatment = treated(program, *refs)
    files = export(treatment, tmp_path / "fixed.py")
    assert printed(files.script) == pytest.approx(dict(files.expected), rel=1e-3, abs=1e-4)
    assert Recipe(**tomllib.loads(files.recipe.read_text())) == treatment.recipe
    model = treatment.task.build(0)
    model.load_state_dict(load_file(files.weights))
    code = files.script.read_text()
    assert all(str(r) in code for r in refs) and "traindx" not in code.partition('"""\n\n')[2]


def spread(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return nn.functional.gaussian_nll_loss(outputs[:, :1], targets, outputs[:, 1:].exp())


def test_a_metric_that_does_not_fit_is_left_out(tmp_path: Path) -> None:
    x = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    task = tdx.Task(lambda: nn.Linear(4, 2), spread, (x, x[:, :1] + 0.3 * x[:, 1:2]), kind="regression")
    files = export(treated(lambda: (task, Recipe(epochs=2, device="cpu"))), tmp_path / "fixed.py")
    assert set(files.expected) == {"validation loss"}
    assert printed(files.script) == pytest.approx(dict(files.expected), rel=1e-3)


def test_other_seeds_draw_weights_of_the_same_scale(tmp_path: Path) -> None:
    files = export(treated(programs.sigmoids, ref("swap-activations", to="relu")), tmp_path / "fixed.py")
    verified = files.expected["test accuracy"]
    others = [printed(files.script, "--seed", str(seed))["test accuracy"] for seed in (1, 2)]
    assert verified > 0.5 and all(abs(other - verified) < 0.25 for other in others)


def test_trained_weights_are_those_that_were_written(tmp_path: Path) -> None:
    files = export(treated(programs.plain_table), tmp_path / "fixed.py")
    printed(files.script, "--save", str(tmp_path / "weights.pt"))
    saved, kept = torch.load(tmp_path / "weights.pt", weights_only=True), load_file(files.weights)
    assert all(torch.equal(saved[name], value) for name, value in kept.items())


def test_what_cannot_be_told_in_code_is_refused(tmp_path: Path) -> None:
    x, y = programs.digits(200)
    other = eval("lambda outputs, targets: ((outputs.softmax(1)[:, 0] - targets) ** 2).mean()")
    task = tdx.Task(lambda: nn.Linear(64, 10), other, (x, y), kind="classification")
    with pytest.raises(InputError, match="source of a lambda"):
        export(treated(lambda: (task, Recipe(epochs=1))), tmp_path / "fixed.py")
    loaded = treated(programs.plain_table)
    loaded._task = None
    with pytest.raises(InputError, match="without its task"):
        export(loaded, tmp_path / "fixed.py")


class Noisy(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """Rows that differ each time."""

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.randn(4), index % 2


def test_rows_that_change_each_time_are_refused(tmp_path: Path) -> None:
    task = tdx.Task(lambda: nn.Linear(4, 2), nn.CrossEntropyLoss(), Noisy())
    with pytest.raises(InputError, match="other rows each time"):
        export(treated(lambda: (task, Recipe(epochs=1))), tmp_path / "fixed.py")


@given(
    lr=st.floats(1e-8, 1e3),
    options=st.dictionaries(
        st.text(min_size=1, max_size=8), st.one_of(st.floats(allow_nan=False), st.integers(-9, 9), st.booleans(), st.text(max_size=5))
    ),
    clip=st.none() | st.floats(1e-3, 1e3),
)
def test_a_recipe_comes_back_from_toml(lr: float, options: dict[str, Any], clip: float | None) -> None:
    recipe = Recipe(lr=lr, clip_norm=clip, optimizer_options=options, early_stopping=3)
    assert Recipe(**tomllib.loads(recipe_as_toml(recipe))) == recipe


def test_a_remedy_is_told_by_one_sentence_with_its_values() -> None:
    assert in_words(ref("label-smoothing", share=0.1)).startswith("Train on labels smoothed by 10% ")
    assert in_words(ref("augment", shift=3, mirror=True)).endswith(
        "3 pixels in both directions (edges repeated; mirrored half of the time: yes)"
    )
    assert in_words(ref("perturb-start", scale=0.1)).endswith("or in another valley")


def test_changes_in_words() -> None:
    treatment = treated(programs.plain_table, ref("scale-rate", factor=0.1), ref("stop-early", patience=4))
    said = treatment.changes
    assert said[0] == "scale-rate(factor=0.1): Multiply the learning rate by 0.1"
    assert said[1].startswith("stop-early(patience=4): Stop after 4 epochs without")
    assert "in your optimizer: lr 0.001 -> 0.0001" in said and "in your loop: early stopping none -> 4" in said
