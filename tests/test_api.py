"""The product from outside: planted faults and their healthy twins, treatments, budgets and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import Dataset

import traindx as tdx
from faults.pairs import PAIRS, RECIPE, Network, Training, deep, held_out_digits, on_digits, train_digits
from traindx import api
from traindx.experiments.verification import CHOOSING, FINAL, LEAST_PAIRS, MEAN_RECALL, REPEATS
from traindx.records import Branch, Diagnosis, Outcome, RemedyRef, Standing
from traindx.remedies import make_remedy
from traindx.report.progress import Progress
from traindx.store import open_store
from traindx.tasks import Rows, SealedTest

BUDGET = 8.0


_MADE: dict[tuple[str, str, str], Diagnosis] = {}


def diagnosed(name: str, twin: bool = False) -> Diagnosis:
    """The diagnosis of a fault or of its twin, made once: several faults have the same twin."""
    pair = PAIRS[name]
    task, recipe = (pair.twin if twin else pair.fault)()
    key = task.fingerprint, recipe.model_dump_json(), task.test.identity if task.test else ""
    if key not in _MADE:
        _MADE[key] = tdx.diagnose(task, recipe, budget=BUDGET)
    return _MADE[key]


# --- Planted faults and healthy twins ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAIRS)
def test_a_planted_fault_is_on_top(name: str) -> None:
    diagnosis, pair = diagnosed(name), PAIRS[name]
    assert diagnosis.branch is pair.branch, diagnosis.sentence
    assert diagnosis.top is not None and diagnosis.top.standing is Standing.CONFIRMED
    assert diagnosis.top.cause in pair.causes, diagnosis.sentence
    assert not diagnosis.healthy and diagnosis.top is diagnosis.findings[0]


@pytest.mark.parametrize("name", PAIRS)
def test_its_twin_is_healthy(name: str) -> None:
    diagnosis = diagnosed(name, twin=True)
    assert [f.cause for f in diagnosis.findings if f.standing is Standing.CONFIRMED] == []
    assert diagnosis.branch is Branch.HEALTHY, diagnosis.sentence


@pytest.mark.parametrize("name", PAIRS)
def test_a_diagnosis_keeps_its_budget_and_its_evidence(name: str) -> None:
    for diagnosis in (diagnosed(name), diagnosed(name, twin=True)):
        assert 0 < diagnosis.cost.runs <= 1.02 * BUDGET, "as many updates are as many within the rounding of epochs"
        known = {run.key for run in diagnosis.runs}
        assert all(set(e.runs) <= known for e in diagnosis.evidence), "every run behind the evidence is at hand"
        assert diagnosis.baseline is not None and diagnosis.baseline.outcome in (Outcome.FINISHED, Outcome.DIVERGED)
        for finding in diagnosis.findings:
            assert finding.standing is not Standing.CONFIRMED or finding.evidence, "no verdict without its numbers"
            assert all(make_remedy(ref).ref == ref for ref in finding.remedies)


def test_a_diagnosis_survives_json() -> None:
    diagnosis = diagnosed("linear on circles")
    assert Diagnosis.model_validate_json(diagnosis.model_dump_json()).to_dict() == diagnosis.to_dict()
    assert diagnosis.task is not None


# --- Tasks of many forms -----------------------------------------------------------------------------------------------------------


class Digits(torch.utils.data.Dataset[Any]):
    """Digits as (pixels, label), or by name."""

    def __init__(self, named: bool) -> None:
        self.named = named
        self.x, self.y = train_digits(400)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Any:
        pixels, label = self.x[index], int(self.y[index])
        return {"pixels": pixels, "label": label} if self.named else (pixels, label)


def named_forward(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return model(batch["pixels"]), batch["label"]


def test_batches_of_any_structure() -> None:
    task = tdx.Task(Network((64, 32, 10)), nn.CrossEntropyLoss(), Digits(True), forward=named_forward, kind="classification")
    slow = tdx.diagnose(task, RECIPE.replace(lr=1e-4))
    assert slow.top is not None and slow.top.cause == "learning-rate-too-low"
    assert any(e.experiment == "references" and e.measure == "not-applicable" for e in slow.evidence)
    assert tdx.diagnose(task, RECIPE).branch is Branch.HEALTHY


def test_a_data_set() -> None:
    task = tdx.Task(Network((64, 32, 10)), nn.CrossEntropyLoss(), Digits(False))
    diagnosis = tdx.diagnose(task, RECIPE.replace(epochs=15), budget=4)
    assert diagnosis.branch is Branch.HEALTHY
    assert any(e.measure == "out_of_fold_loss" and e.subject == "linear" for e in diagnosis.evidence), "rows are read one by one"


def test_unknown_test_labels() -> None:
    x, _ = held_out_digits()
    diagnosis = tdx.diagnose(*on_digits(test=(1 - x, None)))  # type: ignore[arg-type]
    shift = next(f for f in diagnosis.findings if f.branch is Branch.MISMATCH)
    assert shift.standing is Standing.SUSPECTED, "without labels, suspected at most"
    assert diagnosis.branch is Branch.HEALTHY


# --- Budgets and interruptions -----------------------------------------------------------------------------------------------------


def test_a_budget_of_one_is_the_baseline_run_alone() -> None:
    diagnosis = tdx.diagnose(*PAIRS["linear on circles"].fault(), budget=1)
    assert len(diagnosis.runs) == 1 and diagnosis.cost.runs == 1
    assert diagnosis.branch is Branch.UNDECIDED


@pytest.mark.parametrize("budget", [1.5, 2.0, 3.0, 5.0])
@pytest.mark.parametrize("name", ["linear on circles", "unscaled inputs", "memorized"])
def test_a_budget_is_kept(name: str, budget: float) -> None:
    assert tdx.diagnose(*PAIRS[name].fault(), budget=budget).cost.runs <= budget + 0.01


def test_a_limit_in_seconds_is_said() -> None:
    diagnosis = tdx.diagnose(*PAIRS["linear on circles"].fault(), seconds=1e-3)
    assert len(diagnosis.runs) == 1
    assert any("limit in seconds" in line for line in diagnosis.advice)


def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    task, recipe = PAIRS["linear on circles"].fault()
    limited, free = tdx.diagnose(task, recipe, seconds=600), tdx.diagnose(task, recipe)
    assert (limited.branch, limited.findings, limited.advice) == (free.branch, free.findings, free.advice)


@pytest.mark.parametrize("budget", [0.99, 0, -3.0])
def test_a_budget_that_buys_nothing_is_refused(budget: float) -> None:
    with pytest.raises(tdx.InputError, match="budget"):
        tdx.diagnose(*on_digits(), budget=budget)


def test_progress_is_told() -> None:
    told: list[Progress] = []
    tdx.diagnose(*PAIRS["linear on circles"].fault(), progress=told.append)
    assert told and {p.total for p in told} == {BUDGET}
    assert any("baseline" in p.stage for p in told) and any("race" in p.stage for p in told)
    assert all(a.seconds <= b.seconds for a, b in pairwise(told))


def test_what_is_left_is_at_most_what_the_limit_in_seconds_leaves() -> None:
    told: list[Progress] = []
    tell = api._reporter(told.append, budget=1e9, limit=60.0)
    tell("race", 0.0)
    tell("race", 1.0)
    assert all(p.remaining is not None and p.remaining <= 60 for p in told)
    api._reporter(told.append, budget=1e9, limit=1e-9)("race", 1.0)
    assert told[-1].remaining is None


def test_a_dict_is_no_recipe() -> None:
    task, _ = on_digits()
    for act in (tdx.train, tdx.diagnose, api.curvature_of):
        with pytest.raises(tdx.InputError, match=r"^recipe: found a dict; make it tdx.Recipe\(lr=...\)$"):
            act(task, {"lr": 0.1})


def test_a_second_diagnosis_trains_nothing(tmp_path: Path) -> None:
    training, store = PAIRS["linear on circles"].fault(), tmp_path / "runs.db"
    first = tdx.diagnose(*training, store=store)
    with open_store(store) as opened:
        attempts = {run.key: opened.attempts(run.key) for run in first.runs}
    second = tdx.diagnose(*training, store=store)
    with open_store(store) as opened:
        assert {run.key: opened.attempts(run.key) for run in second.runs} == attempts
        assert opened.get_diagnosis(first.key) is not None
    assert (second.key, second.findings, second.evidence) == (first.key, first.findings, first.evidence)
    assert second.cost.runs == first.cost.runs, "what was found again counts as it did"


class Raising(nn.Module):
    """Fails in training, or as soon as it is asked anything."""

    def __init__(self, at_once: bool) -> None:
        super().__init__()
        self.linear, self.at_once = nn.Linear(64, 10), at_once

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.at_once:
            raise ValueError("no such layer")
        return self.linear(x)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_model_that_raises_gives_a_diagnosis(at_once: bool) -> None:
    task = tdx.Task(lambda: Raising(at_once), nn.CrossEntropyLoss(), train_digits(200), test=held_out_digits())
    diagnosis = tdx.diagnose(task, RECIPE)
    assert diagnosis.branch is Branch.UNDECIDED
    assert "no such layer" in diagnosis.sentence
    assert diagnosis.runs[0].outcome is Outcome.FAILED
    assert task.test is not None and task.test.openings == 0


# --- Treatments --------------------------------------------------------------------------------------------------------------------


class LabelsForTheEnd(SealedTest):
    """A test set whose rows are for the final verification only."""

    def rows(self, question: str) -> Rows:
        assert question.startswith(FINAL), f"the test labels were touched to answer: {question}"
        return super().rows(question)


def with_late_labels(training: Training) -> Training:
    test = training.task.test
    assert test is not None
    training.task.test = LabelsForTheEnd(test._rows, test.has_labels)
    return training


def test_a_deep_sigmoid_network_is_treated_and_verified() -> None:
    task, recipe = with_late_labels(deep(nn.Sigmoid, held_out_digits()))
    diagnosis = tdx.diagnose(task, recipe)
    assert diagnosis.top is not None and diagnosis.top.cause == "vanishing-gradient"
    assert task.test is not None and task.test.openings == 0, "training is large: the test set says nothing yet"

    treatment = tdx.treat(diagnosis)
    assert treatment.verified and treatment.sentence.startswith("Verified")
    assert treatment.remedies[0] in diagnosis.top.remedies, "what else holds may follow, as far as the budget goes"
    assert all(str(ref) in treatment.sentence for ref in treatment.remedies)
    assert len(task.test.questions) == 1 and treatment.test_openings == 1

    measures = [c.measure for c in treatment.comparisons]
    assert measures[0] == "validation_loss" and {"test_loss", "test accuracy"} <= set(measures)
    for comparison in treatment.comparisons:
        assert len(comparison.seeds) == len(comparison.before) == len(comparison.after) == 5
        assert (
            comparison.improved
            and comparison.wins == 1
            and comparison.p_value == pytest.approx(1 / 32)
            and comparison.gain > 0
            and comparison.low <= comparison.gain <= comparison.high
        )
    used = {seed for e in diagnosis.evidence if e.experiment == "intervention" for seed in e.seeds}
    assert not used & set(treatment.comparisons[0].seeds), "verified on seeds that played no part in choosing"

    run = tdx.train(treatment.task, treatment.recipe)
    assert run.last("validation_metric") > 0.85


def test_a_healthy_training_is_left_as_it_is() -> None:
    healthy = diagnosed("linear on circles", twin=True)
    treatment = tdx.treat(healthy, budget=2 * len(REPEATS))
    assert (treatment.verified, treatment.remedies, treatment.comparisons) == (False, (), ())
    assert treatment.recipe == treatment.diagnosis.recipe
    assert treatment.sentence.startswith("Nothing was changed")


def test_a_healthy_training_is_changed_only_by_what_holds_on_fresh_seeds() -> None:
    treatment = tdx.treat(diagnosed("linear on circles", twin=True), budget=40)
    assert treatment.remedies and treatment.verified
    assert any(c.improved for c in treatment.comparisons) and all(c.high >= 0 for c in treatment.comparisons)
    assert not {treatment.diagnosis.recipe.seed + r for r in CHOOSING} & set(treatment.comparisons[0].seeds)


def test_a_remedy_that_does_not_hold_is_not_kept() -> None:
    diagnosis = diagnosed("linear on circles", twin=True)
    useless = tdx.Finding(
        cause="model-too-flexible",
        branch=Branch.OVERFITTING,
        standing=Standing.CONFIRMED,
        confidence=0.9,
        summary="by mistake",
        remedies=(RemedyRef(id="scale-rate", params={"factor": 1e-3}),),
    )
    mistaken = diagnosis.replace(findings=(useless,), branch=Branch.OVERFITTING)
    treatment = tdx.treat(mistaken, task=diagnosis.task)
    assert not treatment.verified and treatment.remedies == ()
    assert treatment.recipe == diagnosis.recipe
    assert treatment.sentence.startswith("No improvement")
    assert treatment.comparisons and treatment.comparisons[0].gain < 0


def test_a_mismatch_is_treated_where_only_the_test_set_can_show_it() -> None:
    diagnosis = diagnosed("label shift")
    treatment = tdx.treat(diagnosis)
    assert any(c.measure == "test_loss" for c in treatment.comparisons)
    assert treatment.test_openings == 2, "the mismatch question, and the verification"
    assert treatment.verified == any(c.improved for c in treatment.comparisons if c.measure.startswith("test"))


def confirmed(cause: str, *remedies: RemedyRef, branch: Branch = Branch.DATA) -> tdx.Finding:
    """A finding as a diagnosis would confirm it."""
    return tdx.Finding(cause=cause, branch=branch, standing=Standing.CONFIRMED, confidence=0.9, summary="by hand", remedies=remedies)


def test_copies_are_left_out_and_looked_for_again() -> None:
    x, y = load_digits(return_X_y=True)
    rows = np.r_[np.arange(300), np.random.default_rng(0).integers(0, 300, 200)]
    task = tdx.Task(lambda: nn.Linear(64, 10), nn.CrossEntropyLoss(), ((x[rows] / 16).astype(np.float32), y[rows]))
    diagnosis = tdx.diagnose(task, RECIPE)
    assert diagnosis.top is not None and diagnosis.top.cause == "train-test-leakage"
    treatment = tdx.treat(diagnosis)
    assert treatment.verified and [r.id for r in treatment.remedies] == ["remove-duplicates"]
    assert "found no more" in treatment.sentence
    worse = next(c for c in treatment.comparisons if c.measure == "validation_loss")
    assert worse.gain < 0, "the figures were flattered"


def test_balanced_classes_are_judged_by_the_mean_recall() -> None:
    x, y = load_digits(return_X_y=True)
    kept = (y < 7) | (np.arange(len(y)) % 25 == 0)
    task = tdx.Task(lambda: nn.Linear(64, 10), nn.CrossEntropyLoss(), ((x[kept] / 16).astype(np.float32), y[kept]))
    diagnosis = tdx.diagnose(task, RECIPE)
    rare = diagnosis.replace(findings=(confirmed("class-imbalance", RemedyRef(id="balance-classes")),), branch=Branch.DATA)
    treatment = tdx.treat(rare, task=task)
    recall = next(c for c in treatment.comparisons if c.measure == MEAN_RECALL)
    assert treatment.verified == recall.improved and recall.gain > 0
    assert "mean recall" in treatment.sentence


def test_a_further_remedy_is_kept_only_where_it_helps_on_top() -> None:
    diagnosis = diagnosed("linear on circles")
    top = diagnosis.findings[0]
    harmful = confirmed("learning-rate-too-high", RemedyRef(id="scale-rate", params={"factor": 1e-4}), branch=Branch.OPTIMIZATION)
    treatment = tdx.treat(diagnosis.replace(findings=(top, harmful)), task=diagnosis.task)
    assert treatment.verified and treatment.remedies == top.remedies[:1]
    used = {run.seed for run in treatment.runs if len(run.remedies) > 1}
    assert used and not used & set(treatment.comparisons[0].seeds)


def test_verification_is_worth_at_least_some_pairs() -> None:
    treatment = tdx.treat(diagnosed("unscaled inputs"), budget=1.0)
    assert len(treatment.comparisons[0].seeds) >= LEAST_PAIRS


def test_a_treatment_needs_its_task() -> None:
    diagnosis = diagnosed("linear on circles")
    loaded = Diagnosis.model_validate_json(diagnosis.model_dump_json())
    with pytest.raises(tdx.InputError, match="task"):
        tdx.treat(loaded)
    with pytest.raises(tdx.InputError, match="another task"):
        tdx.treat(loaded, task=on_digits().task)


# --- Refusals ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "named"), [({"optimizer": "magic"}, "optimizer"), ({"schedule": "zigzag"}, "schedule"), ({"device": "moon"}, "device")]
)
@pytest.mark.parametrize("function", [tdx.train, tdx.diagnose])
def test_a_recipe_that_cannot_be_used_is_refused(function: Callable[..., Any], changes: dict[str, Any], named: str) -> None:
    training = on_digits()
    with pytest.raises(tdx.InputError, match=named):
        function(training.task, training.recipe.replace(**changes))


@pytest.mark.parametrize("function", [tdx.train, tdx.diagnose, api.curvature_of])
def test_a_network_is_no_task(function: Callable[..., Any]) -> None:
    with pytest.raises(tdx.InputError, match=r"^task: found a Linear; make it tdx.Task\(model, loss, train\)$"):
        function(nn.Linear(2, 2), RECIPE)


@pytest.mark.parametrize(
    "loss",
    [nn.CrossEntropyLoss(reduction="none"), lambda outputs, targets: nn.functional.cross_entropy(outputs, targets, reduction="none")],
)
@pytest.mark.parametrize("function", [tdx.train, tdx.diagnose, api.curvature_of])
def test_a_loss_is_one_number_a_batch(function: Callable[..., Any], loss: Any) -> None:
    task = tdx.Task(lambda: nn.Linear(2, 2), loss, (torch.zeros(40, 2), torch.arange(40) % 2))
    with pytest.raises(tdx.InputError, match=r"^loss: found a loss of shape \(4,\) for a batch; give one number a batch"):
        function(task, RECIPE)


@pytest.mark.parametrize("found", [None, PAIRS["linear on circles"].fault().task])
def test_only_a_diagnosis_is_treated(found: Any) -> None:
    with pytest.raises(tdx.InputError, match=rf"^diagnosis: found a {type(found).__name__}; give what tdx.diagnose"):
        tdx.treat(found)


@pytest.mark.parametrize("limit", ["budget", "seconds"])
def test_limits_are_numbers(limit: str) -> None:
    with pytest.raises(tdx.InputError, match=f"^{limit}: found 'lots'; give a number$"):
        tdx.diagnose(*on_digits(), **{limit: "lots"})  # type: ignore[arg-type]
    with pytest.raises(tdx.InputError, match=f"^{limit}: found 'lots'; give a number$"):
        tdx.treat(diagnosed("linear on circles"), **{limit: "lots"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({"x": torch.zeros(40, 2), "y": torch.zeros(40)}, "train: found dict"),
        ((torch.zeros(40), torch.zeros(40).long()), r"train: found inputs of shape \(40,\); give a row of features each: \(40, 1\)"),
    ],
)
def test_rows_that_are_no_pairs_of_features_and_a_target_are_refused(train: Any, said: str) -> None:
    with pytest.raises(tdx.InputError, match=f"^{said}"):
        tdx.Task(lambda: nn.Linear(2, 2), nn.CrossEntropyLoss(), train)


class UnreadableAt(Dataset[Any]):
    """Forty rows, one of which cannot be read."""

    def __init__(self, row: int) -> None:
        self.row = row

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if index == self.row:
            raise OSError("truncated file")
        return torch.zeros(2), index % 2


@pytest.mark.parametrize("row", [0, 7])
def test_a_row_that_cannot_be_read_is_named(row: int) -> None:
    with pytest.raises(tdx.InputError, match=f"^train: row {row} of the data set raised OSError: truncated file;"):
        tdx.Task(lambda: nn.Linear(2, 2), nn.CrossEntropyLoss(), UnreadableAt(row))


def test_a_model_is_built_without_arguments() -> None:
    with pytest.raises(tdx.InputError, match=r"^model: calling it raised TypeError: .*; give a function without arguments") as refusal:
        tdx.Task(nn.Linear, nn.CrossEntropyLoss(), (torch.zeros(4, 2), torch.zeros(4).long()))
    assert isinstance(refusal.value.__cause__, TypeError)


def test_a_model_has_something_to_train() -> None:
    with pytest.raises(tdx.InputError, match=r"^model: found a Flatten without parameters; give a network: there is nothing to train$"):
        tdx.Task(nn.Flatten, nn.CrossEntropyLoss(), (torch.zeros(4, 2), torch.zeros(4).long()))


def test_too_few_rows_to_divide_are_refused() -> None:
    few = tdx.Task(lambda: nn.Linear(2, 2), nn.CrossEntropyLoss(), (torch.zeros(5, 2), torch.arange(5) % 2))
    with pytest.raises(tdx.InputError, match=r"^train: found 4 rows to train on; give at least 5"):
        tdx.diagnose(few, RECIPE)


def test_a_recipe_is_refused_before_the_work() -> None:
    told: list[Progress] = []
    with pytest.raises(tdx.InputError, match=r"found 'adamm'; use one of .*adamw"):
        tdx.diagnose(on_digits().task, tdx.Recipe(optimizer="adamm"), progress=told.append)
    assert not told


def test_train_returns_what_became_of_it() -> None:
    training = on_digits()
    run = tdx.train(*training)
    assert run.outcome is Outcome.FINISHED and run.last("validation_metric") > 0.9
    assert {"batch_loss", "train_loss", "validation_loss", "gradient_norm", "learning_rate"} <= set(run.curves)
    assert np.isfinite(run.curves["batch_loss"].values).all()


def test_a_loss_class_is_no_loss() -> None:
    with pytest.raises(tdx.InputError, match=r"CrossEntropyLoss\(\)"):
        tdx.Task(lambda: nn.Linear(2, 2), nn.CrossEntropyLoss, (torch.zeros(4, 2), torch.zeros(4).long()))
