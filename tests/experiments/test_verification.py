"""Before against after: what pairs say, with and without a model of their noise; how many the budget pays for."""

from __future__ import annotations

import math

import pytest
from small_labs import RECIPE, digits_task, lab_for

from traindx.experiments.verification import FURTHER_REPEATS, LEAST_PAIRS, REPEATS, compare_on_validation, pairs
from traindx.records import Comparison
from traindx.remedies import ScaleRate
from traindx.tasks import FOLDS

WEAK = RECIPE.replace(lr=1e-4, epochs=3)
STRONGER = [ScaleRate(300.0).ref]
EVERY = (*REPEATS, *FURTHER_REPEATS)


def test_a_remedy_that_helps_improves_every_pair() -> None:
    lab = lab_for(digits_task(240), WEAK)
    loss, accuracy = compare_on_validation(lab, pairs(lab, STRONGER))[:2]
    for comparison in (loss, accuracy):
        assert len(comparison.seeds) == len(EVERY) and comparison.improved
        assert comparison.wins == 1 and comparison.p_value == pytest.approx(2.0 ** -len(EVERY))


def test_what_does_harm_is_told_the_same_way() -> None:
    lab = lab_for(digits_task(240), RECIPE.replace(epochs=3))
    (loss, *_) = compare_on_validation(lab, pairs(lab, [ScaleRate(1e-4).ref]))
    assert loss.high < 0 and loss.wins == 0 and loss.p_value == 1


def test_nothing_changed_is_no_improvement() -> None:
    lab = lab_for(digits_task(240), WEAK)
    (loss, *_) = compare_on_validation(lab, pairs(lab, [ScaleRate(1.0).ref]))
    assert (loss.gain, loss.wins, loss.p_value) == (0, 0, None) and not loss.improved


def test_a_training_that_is_rescued_improves_without_bound() -> None:
    lab = lab_for(digits_task(240), RECIPE.replace(lr=1e30, epochs=1))
    (loss, *_) = compare_on_validation(lab, pairs(lab, [ScaleRate(1e-31).ref]))
    assert loss.gain == math.inf and loss.improved and loss.wins == 1


def test_a_training_that_diverges_has_no_metric_to_gain_by() -> None:
    lab = lab_for(digits_task(240), RECIPE.replace(epochs=3))
    loss, accuracy = compare_on_validation(lab, pairs(lab, [ScaleRate(1e30).ref]))
    assert all(math.isnan(value) for value in accuracy.after) and math.isfinite(sum(accuracy.before))
    assert not loss.improved and not accuracy.improved and accuracy.wins == 0


def test_pairs_are_fresh_and_cover_every_division() -> None:
    lab = lab_for(digits_task(240), WEAK)
    found = pairs(lab, STRONGER)
    assert {pair.before.task.fold for pair in found} == set(range(FOLDS))
    assert all(pair.before.recipe.seed == pair.after.recipe.seed and pair.before.task.fold == pair.after.task.fold for pair in found)


@pytest.mark.parametrize(("budget", "count"), [(100.0, len(EVERY)), (12.0, 6), (6.0, 3), (0.5, LEAST_PAIRS)])
def test_pairs_are_as_many_as_the_budget_pays_for(budget: float, count: int) -> None:
    lab = lab_for(digits_task(240), RECIPE.replace(epochs=80), budget)
    assert lab.spending.unit == lab.spending.baseline_work, "long enough to count as it is"
    assert len(pairs(lab, STRONGER)) == count


def test_what_is_kept_back_is_taken_from_the_further_pairs_alone() -> None:
    lab = lab_for(digits_task(240), RECIPE.replace(epochs=80), budget=14.0)
    assert [len(pairs(lab, STRONGER, kept_back)) for kept_back in (0.0, 2.0, 9.0)] == [7, 6, 5]


@pytest.mark.parametrize(("p_value", "looks", "improved"), [(1 / 64, 1, True), (1 / 64, 2, False), (1 / 32, 1, False), (None, 1, False)])
def test_ranks_may_say_that_all_pairs_gained(p_value: float | None, looks: int, improved: bool) -> None:
    pair = {"before": (1.0, 1.0), "after": (0.9, 0.5), "seeds": (1, 2), "probability": 0.9, "p_value": p_value, "looks": looks}
    assert Comparison(measure="loss", higher_is_better=False, gain=0.3, low=-0.1, high=0.7, **pair).improved is improved
