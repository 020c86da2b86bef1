"""Labels against held-out predictions: clean digits, flipped digits, overlapping classes."""

from __future__ import annotations

import numpy as np
import pytest
from small_labs import answer, dict_task, digits, digits_task, lab_for, values, vectors_task
from torch import nn

from traindx.diagnosis import Reading
from traindx.diagnosis.rules.label_noise import (
    BEYOND_TAILS,
    EVEN_FULL,
    EVEN_NONE,
    OUTLYING,
    PAIRED_FULL,
    PAIRED_NONE,
    SHOWN_SHARE,
    SUREST_NONE,
)
from traindx.diagnosis.rules.label_noise import LabelNoise as Rule
from traindx.experiments import label_noise
from traindx.experiments.label_noise import LEAST_ROWS
from traindx.records import Evidence, Standing
from traindx.tasks import Task


def contradicted(x: np.ndarray, y: np.ndarray, classes: int) -> dict[str, float]:
    return values(answer(lab_for(vectors_task(x, y, classes)), "label_noise"))


def flip(y: np.ndarray, share: float, classes: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(y)) < share, (y + rng.integers(1, classes, len(y))) % classes, y)


def test_clean_digits_are_not_contradicted() -> None:
    found = contradicted(*digits(1000), 10)
    assert found["contradicted_among_surest"] < SUREST_NONE
    assert found["suspect_share"] < 0.1


def test_flipped_digits_are_contradicted_about_as_often_as_they_are_flipped_and_everywhere() -> None:
    x, y = digits(1000)
    for seed in range(2):
        found = contradicted(x, flip(y, 0.3, 10, seed), 10)
        assert SHOWN_SHARE < found["contradicted_among_surest"] < 0.4
        assert 0.2 < found["suspect_share"] < 0.4
        assert found["concentration"] < EVEN_FULL


def judged(x: np.ndarray, y: np.ndarray, classes: int) -> tuple[float, Standing, dict[str, float]]:
    """The rule's sign and its word on these rows, before any training, and what was found."""
    lab = lab_for(vectors_task(x, y, classes))
    found = answer(lab, "label_noise")
    reading = Reading((*answer(lab, "references"), *found))
    return Rule().sign(reading), Rule().judge(reading).standing, values(found)


def test_a_fifth_of_flipped_labels_of_ten_classes_is_shown() -> None:
    x, y = digits(1500)
    sign, standing, found = judged(x, flip(y, 0.2, 10), 10)
    assert (sign, standing) == (1, Standing.CONFIRMED) and abs(found["paired"]) < PAIRED_FULL / 2


def test_chance_outcomes_of_inputs_with_two_values_are_not_called_wrong() -> None:
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], size=(1200, 12)).astype(np.float32)
    for slope in (0.6, 1.0):
        sign, standing, found = judged(x, (slope * x[:, 0] + rng.logistic(size=1200) > 0).astype(np.int64), 2)
        assert found["contradicted_among_surest"] > SHOWN_SHARE and "paired" not in found
        assert (sign, standing) == (0, Standing.CLEARED)


def test_classes_that_no_input_tells_apart_are_not_called_wrong() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 5, 1500)
    x = (4 * np.eye(5)[group] + rng.normal(size=(1500, 5))).astype(np.float32)
    sign, standing, found = judged(x, 2 * group + (rng.random(1500) < 0.35), 10)
    assert found["contradicted_among_surest"] > SHOWN_SHARE and found["paired"] > 2 * PAIRED_NONE
    assert (sign, standing) == (0, Standing.CLEARED)


@pytest.mark.parametrize(
    ("predicted", "labels", "expected"),
    [
        ([0, 0, 0, 1, 2], [1, 1, 0, 1, 2], 1),
        ([0] * 4 + [1, 2], [1, 1, 2, 2, 1, 2], -1 / 3),
        ([0] * 10, [1] * 4 + [0] * 2 + [2] * 4, -1 / 7),
        ([0, 1, 2], [1, 2, 0], np.nan),
    ],
)
def test_paired_contradictions_share_their_label(predicted: list[int], labels: list[int], expected: float) -> None:
    assert label_noise.paired(np.array(predicted), np.array(labels), 3) == pytest.approx(expected, nan_ok=True)
    assert np.isnan(label_noise.paired(np.array([0, 0]), np.array([1, 1]), 2))


def test_predictions_of_classes_that_overlap_agree_where_they_are_surest() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 1000)
    x = (rng.normal(size=(1000, 3)) + 0.6 * y[:, None]).astype(np.float32)
    found = contradicted(x, y, 2)
    assert found["agreement"] > 0.1, "they have some skill"
    assert found["concentration"] > EVEN_NONE


def test_the_two_best_references_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, rows = np.array([0, 1, 1, 0]), np.arange(4)
    of_skill = {"constant": 0.99, "poor": 0.3, "good": 0.8, "fair": 0.6}  # the probability of the own label
    known = {name: np.full((4, 3), 1 - p) for name, p in of_skill.items()}
    for name, p in of_skill.items():
        known[name][rows, 2 * labels] = p  # the classes that occur are 0 and 2
    monkeypatch.setattr(label_noise, "predictions", lambda task: known)
    found = label_noise.judging(digits_task(50), labels, np.array([0, 2]))
    assert found.shape == (4, 2) and found[rows, labels] == pytest.approx(0.7)


def test_the_interval_holds_the_share() -> None:
    for found in answer(lab_for(digits_task(300)), "label_noise"):
        if found.measure == "contradicted_among_surest":
            assert found.low is not None and found.high is not None and 0 <= found.low <= found.value <= found.high <= 1
            assert found.high > found.low


def numbers(noise: str, loss: nn.Module | None = None) -> Evidence:
    """What is told of 800 numbers, 5 % of which are noted wrongly, or whose noise has long tails."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 4)).astype(np.float32)
    errors = {
        "wrong": np.where(rng.random(800) < 0.05, 30.0, 0.5) * rng.normal(size=800),
        "student": 0.5 * rng.standard_t(2, size=800),
        "gauss": 0.5 * rng.normal(size=800),
    }[noise]
    found, _ = answer(lab_for(vectors_task(x, (x[:, :1] + errors[:, None]).astype(np.float32), 1, loss or nn.MSELoss())), "label_noise")
    return found


def test_numbers_noted_wrongly_lie_far_off_with_few_in_between() -> None:
    found = numbers("wrong")
    assert 0.03 < found.value < 0.06 and found.value > BEYOND_TAILS * float(found.details["less_far"])
    assert found.details["growth"] == pytest.approx(4)
    assert numbers("wrong", nn.L1Loss()).details["growth"] == pytest.approx(2)


def test_the_tails_of_noise_thin_out() -> None:
    for noise in ("student", "gauss"):
        found = numbers(noise)
        assert found.value <= float(found.details["less_far"]) or found.value < OUTLYING


def test_declines_what_has_no_class_and_what_is_too_small() -> None:
    x, y = digits(LEAST_ROWS)
    for task in (
        dict_task(),
        vectors_task(x, x[:, :2].copy(), 2, nn.MSELoss()),
        vectors_task(x[: LEAST_ROWS // 2], x[: LEAST_ROWS // 2, 20:21].copy(), 1, nn.MSELoss()),
        vectors_task(x[: LEAST_ROWS // 2], y[: LEAST_ROWS // 2], 10),
    ):
        assert [e.measure for e in answer(lab_for(task), "label_noise")] == ["not-applicable"]


def test_declines_a_class_with_a_single_row() -> None:
    x, y = digits(300)
    y = np.where(y == 9, 8, y)
    y[0] = 9
    task = Task(lambda: nn.Linear(64, 10), nn.CrossEntropyLoss(), (x, y), validation=(x, y))
    (found,) = answer(lab_for(task), "label_noise")
    assert found.text == "a class has a single row"


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_rows_of_numbers_that_were_exchanged_are_told(share: float) -> None:
    rng = np.random.default_rng(11)
    x = rng.normal(size=(900, 4)).astype(np.float32)
    y = (x @ rng.normal(size=(4, 3)) + 0.2 * rng.normal(size=(900, 3))).astype(np.float32)
    hit = np.flatnonzero(rng.random(900) < share)
    y[hit] = y[rng.permutation(hit)]
    found = {e.measure: e for e in answer(lab_for(vectors_task(x, y, 3, nn.MSELoss())), "label_noise")}
    assert found["exchanged_targets"].details["shown"] is (share > 0) and not found["exchanged_targets"].details["single"]


def test_declines_rows_of_many_numbers() -> None:
    x = np.random.default_rng(12).normal(size=(300, 20)).astype(np.float32)
    (found,) = answer(lab_for(vectors_task(x, x, 20, nn.MSELoss())), "label_noise")
    assert found.measure == "not-applicable"
