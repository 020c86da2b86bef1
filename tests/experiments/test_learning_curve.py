"""Half of the rows against all of them, for as many updates."""

from __future__ import annotations

import pytest
from small_labs import RECIPE, answer, digits_task, lab_for, values

from traindx.experiments import Lab, learning_curve
from traindx.experiments.learning_curve import LEAST_SHARE, _bounds, _doubtful
from traindx.records import Curve, Run
from traindx.remedies.fewer_rows import LEAST_ROWS

SHORT = RECIPE.replace(epochs=4)


def test_both_arms_have_as_many_updates() -> None:
    lab = lab_for(digits_task(240), SHORT)
    found = answer(lab, "learning_curve", params={"repeats": 2})
    runs = [lab.runs[key] for key in found[0].runs]
    wholes, halves = [r for r in runs if not r.remedies], [r for r in runs if r.remedies]
    assert [r.steps for r in wholes] == [lab.total] * 2
    assert len({r.steps for r in halves}) == 1 and halves[0].steps <= lab.total
    assert halves[0].horizon is None or halves[0].horizon >= LEAST_SHARE * lab.total
    assert [r.remedies[0].id for r in halves] == ["fewer-rows"] * 2
    assert [r.seed for r in wholes] == [r.seed for r in halves] == [0, 1], "the same seeds on both sides"


def test_the_gain_is_the_fall_of_the_lowest_validation_loss() -> None:
    lab = lab_for(digits_task(240), SHORT)
    found = answer(lab, "learning_curve", params={"repeats": 1})
    whole, half = (min(lab.runs[key].curves["validation_loss"].values) for key in found[0].runs)
    assert values(found)["gain_of_doubling"] == pytest.approx(half - whole)
    assert found[0].low is not None and found[0].high is not None and found[0].low <= found[0].value <= found[0].high


def test_more_rows_help_where_rows_are_few() -> None:
    found = answer(lab_for(digits_task(100), SHORT.replace(epochs=20)), "learning_curve", params={"repeats": 2})
    assert values(found)["gain_of_doubling"] > 0


def test_repeats_are_as_many_as_the_budget_pays() -> None:
    lab = lab_for(digits_task(240), SHORT, budget=2.0)
    lab.baseline()
    found = answer(lab, "learning_curve", params={"repeats": 4})
    assert len(found[0].seeds) == 1
    assert lab.spending.runs <= 2.0


def test_halves_go_with_the_baselines_that_did_not_diverge(monkeypatch: pytest.MonkeyPatch) -> None:
    def first_and_third(lab: Lab, repeats: int) -> list[Run]:
        return lab.train([lab.job(repeat=repeat, refold=True) for repeat in (0, 2)], "baselines")

    monkeypatch.setattr(learning_curve, "baselines", first_and_third)
    lab = lab_for(digits_task(240), SHORT)
    found = answer(lab, "learning_curve", params={"repeats": 5})
    seeds = [lab.runs[key].seed for key in found[0].runs]
    assert seeds == [0, 2, 0, 2], "the same seeds and divisions on both sides"


def test_declines_too_few_rows() -> None:
    lab = lab_for(digits_task(2 * LEAST_ROWS + 2), SHORT)
    (found,) = answer(lab, "learning_curve", params={"repeats": 1})
    assert found.measure == "not-applicable" and "too few" in found.text


def runs_by_hand(losses: list[float]) -> list[Run]:
    """Runs with these validation losses at their end, and nothing else."""
    curve = Curve(steps=(0, 10), values=(9.0, 9.0))
    run = lab_for(digits_task(100), SHORT.replace(epochs=1)).baseline()
    return [run.replace(curves={"validation_loss": curve.replace(values=(9.0, loss))}) for loss in losses]


def test_divisions_that_differ_in_difficulty_agree_on_a_share() -> None:
    wholes, halves = runs_by_hand([0.1, 0.4, 1.6]), runs_by_hand([0.15, 0.56, 2.6])
    low, high = _bounds(wholes, halves, None)
    assert 0 < low < 0.4 < high, "a third to a half more on each, though ten times as much on one as on another"
    assert not _doubtful(wholes, halves, None)
    assert _doubtful(wholes, runs_by_hand([0.15, 0.38, 2.0]), None), "one of them says the contrary"


def test_one_more_division_is_asked_while_they_disagree() -> None:
    lab = lab_for(digits_task(400), SHORT)
    found = answer(lab, "learning_curve", params={"repeats": 2})
    assert 2 <= len(found[0].seeds) <= 5
    assert len(found[0].seeds) == 5 or found[0].low > 0 or found[0].value <= 0
