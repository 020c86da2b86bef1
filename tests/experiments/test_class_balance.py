"""Recall by class with and without balanced classes: real trainings on digits of which some are rare, and the arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from small_labs import RECIPE, Net, answer, digits, lab_for
from torch import nn

from traindx.experiments.class_balance import DIVISIONS, Hits, mean_gain
from traindx.tasks import Task

SLOW = RECIPE.replace(lr=0.03, epochs=12)


def without_most_of(rare: tuple[int, ...], kept: int) -> Task:
    """Digits, a few rows of each rare class."""
    x, y = digits(900)
    keep = np.concatenate([np.flatnonzero(y == c)[: kept if c in rare else None] for c in range(10)])
    return Task(Net(), nn.CrossEntropyLoss(), (x[keep], y[keep]))


def test_a_rare_class_that_is_not_learned_gains_by_balanced_classes() -> None:
    found = {e.measure: e for e in answer(lab_for(without_most_of((3, 8), 5), SLOW), "class_balance")}
    gain = found["recall_gain"]
    assert gain.low is not None and gain.low > 0
    assert float(gain.details["after"]) - float(gain.details["before"]) > 0.25
    assert len(gain.seeds) == DIVISIONS and gain.remedy is not None and gain.remedy.id == "balance-classes"


def test_nothing_is_trained_where_no_class_is_rare() -> None:
    lab = lab_for(without_most_of((), 0), SLOW)
    assert [e.measure for e in answer(lab, "class_balance")] == ["not-applicable"]
    assert len(lab.runs) == 1


def test_a_budget_too_small_is_said() -> None:
    (found,) = (e for e in answer(lab_for(without_most_of((3,), 4), SLOW, budget=1.0), "class_balance") if e.measure != "rare_recall")
    assert found.measure == "not-applicable" and "budget" in found.text


def rows(*shares: tuple[float, int]) -> Hits:
    """By class: the share of so many rows that is predicted rightly."""
    return {c: (np.arange(n) < round(share * n)).astype(float) for c, (share, n) in enumerate(shares)}


def test_the_gain_is_the_mean_over_classes_whatever_their_size() -> None:
    gain, _ = mean_gain(rows((0.0, 10), (1.0, 1000)), rows((1.0, 10), (1.0, 1000)))
    assert gain == pytest.approx(0.5)


def test_few_rows_leave_more_open_than_many_and_copies_add_nothing() -> None:
    few, many = (mean_gain(rows((0.0, n), (1.0, 200)), rows((0.6, n), (1.0, 200)))[1] for n in (5, 50))
    assert few > 2 * many
    assert mean_gain(rows((0.0, 50), (1.0, 200)), rows((0.6, 50), (1.0, 200)), copies=10)[1] == pytest.approx(few, rel=0.1)


def test_one_row_that_gained_is_no_evidence() -> None:
    gain, margin = mean_gain(rows((0.0, 1), (1.0, 100)), rows((1.0, 1), (1.0, 100)))
    assert gain - margin < 0


def test_no_gain_is_rarely_called_one() -> None:
    rng = np.random.default_rng(0)

    def drawn() -> Hits:
        return {c: (rng.random(n) < 0.5).astype(float) for c, n in enumerate((12, 200, 200))}

    alarms = [gain > margin for gain, margin in (mean_gain(drawn(), drawn()) for _ in range(400))]
    assert np.mean(alarms) < 0.05
