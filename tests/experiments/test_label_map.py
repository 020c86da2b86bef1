"""Labels of given validation rows against what models expect: recodings, units, orders of columns, and labels that are better than the training rows'."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from small_labs import RECIPE, Net, answer, digits, lab_for, values
from torch import nn

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules import RULES
from traindx.diagnosis.rules.label_noise import INPUTS_ALIKE, SURPLUS_ERRORS
from traindx.diagnosis.rules.preprocessing_mismatch import unrelated
from traindx.experiments.label_map import compared_labels
from traindx.records import Evidence, Standing
from traindx.remedies import AlignValidationInputs, RepairLabels
from traindx.tasks import Task
from traindx.training import fit

SHUFFLE = np.random.default_rng(3)


def task(x: np.ndarray, y: np.ndarray, **arguments: Any) -> Task:
    return Task(Net(), nn.CrossEntropyLoss(), (x, y), **arguments)


def test_recoded_validation_labels() -> None:
    x, y = digits(600)
    order = SHUFFLE.permutation(10)
    recoded = task(x[:400], y[:400], validation=(x[400:], order[y[400:]]))
    found = {e.measure: e for e in answer(lab_for(recoded), "label_map")}
    gain = found["agreement_gain"]
    assert gain.low is not None and gain.low > 0.5
    assert [int(c) for c in str(gain.details["order"]).split(",")] == np.argsort(order).tolist()
    mended, recipe = RepairLabels("validation", str(gain.details["order"])).apply(recoded, lab_for(recoded).recipe)
    again = {e.measure: e.value for e in answer(lab_for(mended, recipe), "label_map")}
    assert again["agreement_gain"] == 0 and again["agreement"] > 0.8


def test_validation_targets_in_other_units() -> None:
    x = SHUFFLE.normal(size=(400, 4)).astype(np.float32)
    y = (x.sum(1) + 0.1 * SHUFFLE.normal(size=400)).astype(np.float32)
    for factor, wrong in ((1.0, False), (1000.0, True), (-1.0, True)):
        for shape in ((-1, 1), (-1,)):
            told = y.reshape(shape)
            other = Task(Net(4, 8, 1), nn.MSELoss(), (x[:300], told[:300]), (x[300:], factor * told[300:]))
            found = {e.measure: e for e in answer(lab_for(other), "label_map")}
            assert found["affine_map"].details["wrong"] is wrong


def test_validation_rows_of_several_numbers_in_other_units() -> None:
    x = SHUFFLE.normal(size=(400, 4)).astype(np.float32)
    y = (x @ SHUFFLE.normal(size=(4, 3)) + 0.1 * SHUFFLE.normal(size=(400, 3))).astype(np.float32)
    for factor, offset, wrong in ((1.0, 0.0, False), (0.2, 0.9, True), (-1.0, 0.0, True)):
        other = Task(Net(4, 8, 3), nn.MSELoss(), (x[:300], y[:300]), (x[300:], factor * y[300:] + offset))
        found = {e.measure: e for e in answer(lab_for(other), "label_map")}["affine_map"]
        assert found.details["wrong"] is wrong
        assert found.value == pytest.approx(factor, rel=0.2)


def test_columns_with_means_far_apart_show_nothing_of_what_was_learned() -> None:
    x = SHUFFLE.normal(size=(400, 4)).astype(np.float32)
    y = (SHUFFLE.normal(size=(400, 2)) + np.array([0, 100])).astype(np.float32)
    found = {e.measure: e for e in answer(lab_for(Task(Net(4, 8, 2), nn.MSELoss(), (x[:300], y[:300]), (x[300:], y[300:]))), "label_map")}
    assert found["agreement"].value < 0.3 and not found["affine_map"].details["wrong"]


class Product(nn.Module):
    """Knows what no reference model does: that the product of the first five inputs decides."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 40) -> (N, 2)."""
        return self.linear(x[:, :5].prod(1, keepdim=True))


@pytest.mark.parametrize("flipped", [True, False])
def test_the_network_says_what_labels_mean_where_no_reference_model_can(flipped: bool) -> None:
    x = np.random.default_rng(5).choice([-1.0, 1.0], (600, 40)).astype(np.float32)
    y = (x[:, :5].prod(1) > 0).astype(np.int64)
    given = (x[400:], 1 - y[400:] if flipped else y[400:])
    found = {e.measure: e for e in answer(lab_for(Task(Product, nn.CrossEntropyLoss(), (x[:400], y[:400]), given)), "label_map")}
    if flipped:
        assert found["agreement_gain"].value == 1 and found["agreement_gain"].details["order"] == "1,0"
        assert "the network expects" in found["agreement_gain"].text
    else:
        assert "agreement_gain" not in found or found["agreement_gain"].value == 0


@pytest.mark.parametrize("way", ["one class", "pair", "sequence"])
def test_a_network_that_cannot_say_is_not_asked_what_labels_mean(way: str) -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(400, 6)).astype(np.float32), (rng.random(400) < 0.65).astype(np.int64)
    given = (x[:200], (rng.random(200) < 0.35).astype(np.int64))
    loss = {"one class": nn.CrossEntropyLoss(), "pair": _of_the_first, "sequence": _of_the_last}[way]
    found = answer(lab_for(Task(functools.partial(Told, way), loss, (x, y), given)), "label_map")
    assert not any(e.measure == "agreement_gain" and e.low is not None and e.low > 0 and "network" in e.text for e in found)


class Told(nn.Module):
    """Outputs as they come in practice: scores beside others, or one row of scores a place."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.linear = way, nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> Any:
        """(N, 6) -> (N, 2), a pair of these, or (N, 3, 2)."""
        scores = self.linear(x if self.way != "one class" else 0 * x)
        return {"one class": scores, "pair": (scores, x), "sequence": scores[:, None].expand(-1, 3, -1)}[self.way]


def _of_the_first(outputs: Any, targets: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(outputs[0], targets)


def _of_the_last(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(outputs[:, -1], targets)


# --- Another order of columns ------------------------------------------------------------------------------------------------------


def several(kind: str) -> tuple[np.ndarray, np.ndarray, nn.Module]:
    """Rows of three numbers, or of three labels or none, that a line predicts."""
    x = SHUFFLE.normal(size=(500, 4)).astype(np.float32)
    y = x[:, :3] + 0.3 * SHUFFLE.normal(size=(500, 3))
    return x, (y > 0 if kind == "labels" else y).astype(np.float32), nn.BCEWithLogitsLoss() if kind == "labels" else nn.MSELoss()


@pytest.mark.parametrize("kind", ["labels", "numbers"])
def test_columns_in_another_order_are_found_and_put_back(kind: str) -> None:
    x, y, loss = several(kind)
    for order in ([2, 0, 1], [0, 1, 2]):
        given = Task(Net(4, 8, 3), loss, (x[:350], y[:350]), (x[350:], y[350:, order]))
        found = {e.measure: e for e in answer(lab_for(given), "label_map")}
        if order == [0, 1, 2]:
            assert "agreement_gain" not in found
            continue
        gain = found["agreement_gain"]
        assert gain.low is not None and gain.low > 0.3
        mended, _ = RepairLabels("validation", columns=str(gain.details["columns"])).apply(given, lab_for(given).recipe)
        assert mended.validation.targets is not None
        assert torch.equal(mended.validation.targets, torch.from_numpy(y[350:]))


def test_columns_that_nobody_predicts_are_left_where_they_are() -> None:
    x, y, loss = several("numbers")
    y = SHUFFLE.permutation(y)
    assert not [
        e
        for e in answer(lab_for(Task(Net(4, 8, 3), loss, (x[:350], y[:350]), (x[350:], y[350:]))), "label_map")
        if e.measure == "agreement_gain"
    ]


# --- Better labels than the training rows' -----------------------------------------------------------------------------------------


def noisy(kind: str, share: float, rows: int = 900) -> tuple[Task, np.ndarray, np.ndarray]:
    """Two overlapping classes, a number, or three labels or none, wrong in this share of the training rows; and what is right."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(rows, 4)).astype(np.float32)
    right = x[:, :3] + 0.4 * rng.normal(size=(rows, 3))
    y = {
        "classes": (right[:, 0] > 0).astype(np.int64),
        "number": right[:, :1].astype(np.float32),
        "labels": (right > 0).astype(np.float32),
    }[kind]
    cut = 2 * rows // 3
    hit = np.flatnonzero(rng.random(cut) < share)
    given = y[:cut].copy()
    given[hit] = given[rng.permutation(hit)] if kind == "number" else 1 - given[hit]
    loss = {"classes": nn.CrossEntropyLoss(), "number": nn.MSELoss(), "labels": nn.BCEWithLogitsLoss()}[kind]
    return Task(Net(4, 8, {"classes": 2, "number": 1, "labels": 3}[kind]), loss, (x[:cut], given), (x[cut:], y[cut:])), x[cut:], y[cut:]


def surplus(noisy_task: Task) -> Evidence | None:
    found = compared_labels(noisy_task, noisy_task.validation, "validation")
    return next((e for e in found if e.measure == "agreement_surplus"), None)


@pytest.mark.parametrize("kind", ["classes", "number", "labels"])
def test_validation_labels_that_are_better_than_the_training_rows(kind: str) -> None:
    found = surplus(noisy(kind, 0.3)[0])
    assert found is not None and found.value > 0.08 and float(found.details["errors"]) > SURPLUS_ERRORS
    assert float(found.details["auc_high"]) < INPUTS_ALIKE
    assert surplus(noisy(kind, 0.0)[0]) is None


def test_units_are_not_blamed_for_noise_among_the_training_targets() -> None:
    noisy_task, _, _ = noisy("number", 0.45)
    (line,) = (e for e in compared_labels(noisy_task, noisy_task.validation, "validation") if e.measure == "affine_map")
    assert not line.details["wrong"]


def test_units_of_several_numbers_are_put_right() -> None:
    x, y, loss = several("numbers")
    found = answer(lab_for(Task(Net(4, 8, 3), loss, (x[:350], y[:350]), (x[350:], 1000 * y[350:]))), "label_map")
    assert {e.measure for e in found} == {"affine_map", "agreement", "auc"}
    finding = next(r for r in RULES if r.cause == "wrong-labels").judge(Reading(found))
    assert finding.standing is Standing.CONFIRMED and set(finding.remedies[0].params) == {"split", "scale", "offset"}


def test_a_column_that_never_varies_does_not_hide_the_others() -> None:
    x, y, loss = several("labels")
    given = y[350:, [2, 1, 0]]
    given[:, 1] = 0
    found = {e.measure: e for e in answer(lab_for(Task(Net(4, 8, 3), loss, (x[:350], y[:350]), (x[350:], given))), "label_map")}
    assert found["agreement_gain"].details["columns"] == "2,1,0"


def test_a_last_column_that_never_varies_stays_where_it_is() -> None:
    x, y, loss = several("labels")
    y[:, 2] = 0
    given = Task(Net(4, 8, 3), loss, (x[:350], y[:350]), (x[350:], y[350:, [1, 0, 2]]))
    found = {e.measure: e for e in answer(lab_for(given), "label_map")}
    mended, _ = RepairLabels("validation", columns=str(found["agreement_gain"].details["columns"])).apply(given, lab_for(given).recipe)
    assert mended.validation.targets is not None and torch.equal(mended.validation.targets, torch.from_numpy(y[350:]))


def easier(way: str, seed: int) -> Task:
    """Sound rows, of which those given for validation are easier: more of the easy classes, a wider range, another share of labels; or far numbers."""
    rng = np.random.default_rng(seed)

    def rows(count: int, other: bool) -> tuple[np.ndarray, np.ndarray]:
        if way == "classes":
            centres = np.random.default_rng(1).normal(size=(10, 8)) * np.repeat([3.0, 0.25], 5)[:, None]
            y = np.where(rng.random(count) < (0.65 if other else 0.5), rng.integers(0, 5, count), rng.integers(5, 10, count))
            return (centres[y] + rng.normal(size=(count, 8))).astype(np.float32), y
        if way == "range":
            x = rng.normal(size=(count, 6)) * np.array([1.4 if other else 1.0, 1, 1, 1, 1, 1])
            return x.astype(np.float32), (x[:, :1] + rng.normal(size=(count, 1))).astype(np.float32)
        if way == "tails":
            x = rng.normal(size=(count, 6))
            return x.astype(np.float32), (x[:, :1] + 0.3 * rng.standard_t(1, (count, 1))).astype(np.float32)
        y = (rng.random((count, 2)) < (0.15 if other else 0.05)).astype(np.float32)
        return (rng.normal(size=(count, 2)) + 2 * y).astype(np.float32), y

    loss = {"classes": nn.CrossEntropyLoss(), "labels": nn.BCEWithLogitsLoss()}.get(way, nn.MSELoss())
    shape = {"classes": (8, 8, 10), "labels": (2, 8, 2)}.get(way, (6, 8, 1))
    return Task(Net(*shape), loss, rows(1500, False), rows(700, True))


@pytest.mark.parametrize("way", ["classes", "range", "tails", "labels"])
@pytest.mark.parametrize("seed", range(3))
def test_easier_rows_have_no_better_labels(way: str, seed: int) -> None:
    found = surplus(easier(way, seed))
    assert found is None or float(found.details["errors"]) < SURPLUS_ERRORS


class Pasted(torch.utils.data.Dataset[tuple[np.ndarray, np.int64]]):
    """Digits, some of which are covered by another one, a new one whenever they are read."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.int64]:
        covered = float(torch.rand(())) < 0.3
        return self.x[int(torch.randint(len(self.x), ())) if covered else index], self.y[index]


def test_training_rows_that_are_augmented_are_not_compared() -> None:
    x, y = digits(900)
    assert surplus(Task(Net(), nn.CrossEntropyLoss(), Pasted(x[:600], y[:600]), (x[600:], y[600:]))) is None


def test_the_network_sees_better_labels_where_no_reference_model_can() -> None:
    x = np.random.default_rng(5).choice([-1.0, 1.0], (900, 40)).astype(np.float32)
    y = (x[:, :5].prod(1) > 0).astype(np.int64)
    for share, seen in ((0.3, True), (0.0, False)):
        given = np.where(np.random.default_rng(6).random(600) < share, 1 - y[:600], y[:600])
        found = values(answer(lab_for(Task(Product, nn.CrossEntropyLoss(), (x[:600], given), (x[600:], y[600:]))), "label_map"))
        assert ("agreement_surplus" in found) is seen


@pytest.mark.parametrize("shuffled", [True, False])
def test_only_labels_that_training_rows_could_teach_are_called_unrelated(shuffled: bool) -> None:
    """Where a class is rare in training alone, models agree with training labels for that, and with validation labels by chance."""
    rng = np.random.default_rng(8)
    share, apart = (0.5, 2.0) if shuffled else (0.03, 0.5)
    y = np.concatenate([rng.random(600) < share, rng.random(200) < 0.5]).astype(np.int64)
    x = (rng.normal(size=(800, 5)) + apart * y[:, None]).astype(np.float32)
    given = (x[600:], rng.permutation(y[600:]) if shuffled else y[600:])
    found = answer(lab_for(Task(Net(5, 8, 2), nn.CrossEntropyLoss(), (x[:600], y[:600]), given)), "label_map")
    assert unrelated(next(e for e in found if e.measure == "agreement")) is shuffled


# --- Validation inputs that went through another pipeline ---------------------------------------------------------------------------


def transposed(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, 8, 8).transpose(0, 2, 1).reshape(len(x), -1).copy()


@pytest.mark.parametrize("other", [lambda x: 0.1 * x, lambda x: 1 - x, lambda x: 255 * x, transposed])
def test_validation_inputs_of_another_pipeline_are_seen_through_a_map(other: Callable[[np.ndarray], np.ndarray]) -> None:
    x, y = digits(900)
    lab = lab_for(task(x[:600], y[:600], validation=(other(x[600:]), y[600:])), RECIPE)
    found = {e.measure: e for e in answer(lab, "label_map")}
    assert found["auc"].value > 0.9
    assert found["aligned_validation_loss"].value < 0.5 < lab.baseline().last("validation_loss")
    remedy = AlignValidationInputs(str(found["aligned_validation_loss"].details["kind"]))
    mended, recipe = remedy.apply(lab.task, lab.recipe)
    assert fit(mended, recipe).run.last("validation_loss") == pytest.approx(found["aligned_validation_loss"].value, rel=0.05)


def test_validation_inputs_are_not_looked_at_where_all_is_well() -> None:
    x, y = digits(900)
    found = values(answer(lab_for(task(x[:600], y[:600], validation=(x[600:], y[600:])), RECIPE), "label_map"))
    assert found["agreement"] > 0.8 and "aligned_validation_loss" not in found


def test_targets_are_not_in_other_units_where_inputs_are() -> None:
    x = SHUFFLE.normal(size=(600, 4)).astype(np.float32)
    y = (x.sum(1) + 0.1 * SHUFFLE.normal(size=600)).astype(np.float32)[:, None]
    lab = lab_for(Task(Net(4, 16, 1), nn.MSELoss(), (x[:400], y[:400]), (0.1 * x[400:], y[400:])), RECIPE.replace(lr=0.05))
    found = {e.measure: e for e in answer(lab, "label_map")}
    assert found["affine_map"].details["wrong"], "what models expect of a tenth is a tenth"
    assert found["aligned_validation_loss"].value < 0.1 < lab.baseline().last("validation_loss")
