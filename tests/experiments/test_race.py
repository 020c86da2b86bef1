"""Races of real, tiny trainings: halving, climbing, repeats, budgets, and what cannot run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from small_labs import RECIPE, Net, answer, digits, digits_task, lab_for, vectors_task
from torch import nn

from traindx.experiments import Lab
from traindx.experiments.base import SHORT_WORK
from traindx.experiments.gap import LEAST_SHARE, MOST_RECOVERED
from traindx.experiments.race import ENOUGH, HEATS, REPEATS, SURVIVORS
from traindx.records import Evidence, Outcome, RemedyRef
from traindx.store import MemoryStore
from traindx.tasks import Task

SLOW = RECIPE.replace(lr=1e-4)
"""A rate far too low: at 1e-1 the same network trains."""


def rate(factor: float) -> RemedyRef:
    return RemedyRef(id="scale-rate", params={"factor": factor})


NORMALIZATION, DROPOUT, LONGER, STANDARDIZE = (
    RemedyRef(id="insert-normalization"),
    RemedyRef(id="dropout", params={"p": 0.5}),
    RemedyRef(id="more-epochs", params={"factor": 4.0}),
    RemedyRef(id="standardize-inputs"),
)


def race(lab: Lab, *remedies: RemedyRef, priors: tuple[float, ...] | None = None, **params: Any) -> dict[str, Evidence]:
    """What the race shows, by remedy."""
    baseline = lab.baseline()
    quantity = params.setdefault("quantity", "train_loss")
    before = baseline.curves[quantity].values[0] if baseline.outcome is Outcome.DIVERGED else baseline.last(quantity)
    params = {"before": before, "goal": 0.3, "ceiling": 2.5, **params}
    found = answer(lab, "intervention", remedies=remedies, priors=priors or (0.5,) * len(remedies), params=params)
    assert {e.remedy for e in found} >= set(remedies), "no remedy leaves in silence"
    return {e.subject: e for e in found}


# --- What helps wins ---------------------------------------------------------------------------------------------------------------


def test_the_rate_climbs_while_it_helps_and_the_best_is_repeated() -> None:
    lab = lab_for(digits_task(), SLOW)
    found = race(lab, rate(10.0))
    assert {str(rate(f)) for f in (10.0, 100.0, 1000.0)} <= set(found)
    best = max(found.values(), key=lambda e: e.value)
    assert best.value > 0.5 and best.remedy is not None and float(best.remedy.params["factor"]) >= 100
    assert len(best.seeds) >= 1 + REPEATS and best.low is not None and best.high is not None
    assert 0 < best.low <= best.value <= best.high
    assert "mean_effect" in best.details and float(best.details["mean_effect"]) > 0
    assert {lab.runs[key].seed for key in best.runs} == set(best.seeds)


def test_lower_rates_are_no_help_and_are_not_repeated() -> None:
    found = race(lab_for(digits_task(), SLOW), rate(0.1))
    assert all(e.value < 0.1 and len(e.seeds) == 1 for e in found.values())


DECAY = RemedyRef(id="weight-decay", params={"strength": 1.0})
FIELD = (rate(1000.0), DROPOUT, STANDARDIZE, NORMALIZATION, DECAY)


def test_few_go_on_to_the_longer_heats() -> None:
    lab = lab_for(digits_task(), SLOW.replace(epochs=16))
    found = race(lab, *FIELD, goal=0.0)
    horizons = sorted(e.step or 0 for e in found.values())
    first = lab.horizon(HEATS[0])
    assert horizons[0] == first, "most leave after the first heat"
    assert 1 <= sum(step > first for step in horizons) <= SURVIVORS + 1
    leader = max(found.values(), key=lambda e: float(e.details["score"]))
    assert leader.step is not None and leader.step > first


def test_a_contender_with_the_strongest_sign_is_not_dropped_early() -> None:
    lab = lab_for(digits_task(), SLOW.replace(epochs=16))
    found = race(lab, *FIELD, priors=(0.1, 0.1, 0.1, 0.1, 1.0), goal=0.0)
    assert (found[str(DECAY)].step or 0) > lab.horizon(HEATS[0])


def test_a_clear_leader_ends_the_race_early() -> None:
    lab = lab_for(digits_task(), SLOW.replace(epochs=24))
    found = race(lab, rate(1000.0), goal=1.0)[str(rate(1000.0))]
    assert found.value >= ENOUGH
    assert (found.step or 0) < lab.total


def test_a_smaller_change_with_no_weaker_signs_is_given_the_time_to_be_preferred() -> None:
    adam = RemedyRef(id="set-optimizer", params={"optimizer": "adam", "lr": 3e-2})
    found = race(lab_for(digits_task(), RECIPE.replace(lr=1e-3, epochs=32)), rate(10.0), adam, priors=(0.4, 0.3))
    faster, rates = found[str(adam)], found[str(rate(100.0))]
    assert faster.value >= ENOUGH and len(faster.seeds) == 1, "it recovered enough first"
    assert rates.value >= ENOUGH and len(rates.seeds) >= 1 + REPEATS and float(rates.details["share_of_training"]) >= 0.4


def test_a_loss_below_the_goal_recovers_more_than_all_and_has_a_bound() -> None:
    found = race(lab_for(digits_task(), SLOW), rate(1000.0), goal=2.2, first_heat=2)[str(rate(1000.0))]
    assert 1 < found.value <= MOST_RECOVERED


def test_evidence_says_what_was_done() -> None:
    lab = lab_for(digits_task(), SLOW)
    found = race(lab, rate(1000.0))[str(rate(1000.0))]
    assert lab.baseline().key in found.runs and all(key in lab.runs for key in found.runs)
    assert found.details["quantity"] == "train_loss"
    assert found.details["share_of_training"] == pytest.approx((found.step or 0) / lab.total)
    before, after = float(found.details["before"]), float(found.details["after"])
    assert found.value == pytest.approx((before - after) / (before - float(found.details["reachable"])))


# --- One by one --------------------------------------------------------------------------------------------------------------------


def test_one_by_one_leaves_the_others_untried_once_one_recovers_enough() -> None:
    lab = lab_for(digits_task(), SLOW)
    found = race(lab, DROPOUT, rate(1000.0), priors=(0.2, 0.9), goal=1.5, first_heat=2, one_by_one=True)
    assert found[str(rate(1000.0))].value >= ENOUGH
    assert found[str(DROPOUT)].measure == "not-run"
    assert not any(r.remedies and r.remedies[0] == DROPOUT for r in lab.runs.values())


def test_one_by_one_tries_the_next_when_the_first_is_no_help() -> None:
    found = race(lab_for(digits_task(), SLOW), DROPOUT, rate(1000.0), priors=(0.9, 0.2), goal=1.5, first_heat=2, one_by_one=True)
    assert found[str(DROPOUT)].measure == found[str(rate(1000.0))].measure == "recovered"


# --- The budget --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1.0, 1.05, 1.3, 2.0, 3.5, 5.0])
@pytest.mark.parametrize("first_heat", [0, 2])
def test_no_race_spends_more_than_there_is(budget: float, first_heat: int) -> None:
    lab = lab_for(digits_task(), SLOW, budget)
    race(lab, rate(10.0), NORMALIZATION, LONGER, first_heat=first_heat)
    assert lab.spending.runs <= budget + 1e-9


def test_what_the_budget_does_not_pay_is_not_run_and_said() -> None:
    lab = lab_for(digits_task(), SLOW.replace(epochs=30), budget=1.0)
    found = race(lab, rate(10.0), LONGER)
    assert [e.measure for e in found.values()] == ["not-run"] * 2
    assert all("budget" in e.text for e in found.values())
    assert len(lab.runs) == 1


def test_a_short_training_counts_as_a_part_of_a_run() -> None:
    short, long = lab_for(digits_task(), SLOW.replace(epochs=2)), lab_for(digits_task(), SLOW.replace(epochs=30))
    for lab in (short, long):
        lab.baseline()
        lab.spending.baseline_seconds = 0.01  # however busy the machine is
    assert short.spending.runs == pytest.approx(short.spending.work / SHORT_WORK)
    assert long.spending.runs == 1
    assert short.baseline_cost(short.total) == short.cost(short.job()) == pytest.approx(short.spending.runs)


def test_a_limit_in_seconds_is_a_limit_in_runs_at_the_pace_of_the_baseline() -> None:
    lab = lab_for(digits_task(), SLOW.replace(epochs=30), budget=5.0)
    lab.baseline()
    assert lab.left == pytest.approx(4)
    lab.spending.baseline_seconds = 10.0
    lab.limit = lab.spending.seconds + 25.0
    assert lab.left == pytest.approx(2.5, abs=0.2)
    lab.limit = lab.spending.seconds - 1
    assert lab.left < 0


def test_repeats_are_as_many_as_the_budget_pays() -> None:
    labs = [lab_for(digits_task(), SLOW, budget) for budget in (50.0, 0.7)]
    for lab in labs:
        lab.baseline()
        lab.spending.baseline_seconds = 0.01  # however busy the machine is
    rich, poor = (race(lab, rate(1000.0), first_heat=2)[str(rate(1000.0))] for lab in labs)
    assert len(rich.seeds) >= 1 + REPEATS
    assert len(poor.seeds) == 1


# --- What cannot run, and what breaks ----------------------------------------------------------------------------------------------


def test_a_contender_that_diverges_is_evidence() -> None:
    lab = lab_for(digits_task(), RECIPE.replace(lr=1e-3))
    found = race(lab, rate(1e6), rate(10.0))
    broken = found[str(rate(1e6))]
    assert broken.value == -1.0 or not math.isfinite(float(broken.details["after"]))
    assert found[str(rate(10.0))].value > broken.value


def test_a_baseline_that_diverged_is_rescued_by_lower_rates() -> None:
    x, y = digits()
    lab = lab_for(vectors_task(x, (y / 5 - 1).astype(np.float32)[:, None], 1, nn.MSELoss()), RECIPE.replace(lr=30.0, epochs=24))
    assert lab.baseline().outcome is Outcome.DIVERGED
    found = race(lab, rate(0.1), goal=0.2)
    best = max(found.values(), key=lambda e: e.value)
    assert best.value > 0.5 and best.remedy is not None and float(best.remedy.params["factor"]) < 0.1


def test_what_cannot_be_applied_is_not_applicable_with_its_reason() -> None:
    kept = Net()()
    task = Task(lambda: kept, nn.CrossEntropyLoss(), digits())
    widen = RemedyRef(id="widen", params={"factor": 4, "layer": ""})
    found = race(lab_for(task, SLOW), widen, rate(10.0))
    assert found[str(widen)].measure == "not-applicable" and "pretrained" in found[str(widen)].text
    assert found[str(rate(10.0))].measure == "recovered"


def test_a_field_of_none_is_no_error() -> None:
    kept = Net()()
    task = Task(lambda: kept, nn.CrossEntropyLoss(), digits())
    found = race(lab_for(task, SLOW), RemedyRef(id="narrow", params={"factor": 8}))
    assert [e.measure for e in found.values()] == ["not-applicable"]


def test_a_contender_that_raises_is_evidence() -> None:
    class Fragile(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Net()()

        def forward(self, x: Any) -> Any:
            if bool((x < -0.01).any()):
                raise RuntimeError("needs pixels")
            return self.inner(x)

    found = race(lab_for(Task(Fragile, nn.CrossEntropyLoss(), digits()), SLOW), STANDARDIZE, rate(1000.0))
    assert found[str(STANDARDIZE)].value == -1.0
    assert found[str(rate(1000.0))].value > 0.5


# --- Reproducible ------------------------------------------------------------------------------------------------------------------


def test_the_same_race_twice_gives_the_same_numbers() -> None:
    one, two = (race(lab_for(digits_task(), SLOW), rate(100.0), DROPOUT) for _ in range(2))
    assert one == two


def test_what_is_remembered_is_not_trained_again() -> None:
    memory = MemoryStore()
    first = lab_for(digits_task(), SLOW, memory=memory)
    found = race(first, rate(100.0))
    again = lab_for(digits_task(), SLOW, memory=memory)
    assert race(again, rate(100.0)) == found
    assert again.runs.keys() == first.runs.keys()
    assert {memory.attempts(key) for key in first.runs} == {1}


def test_pairs_differ_in_the_remedy_only() -> None:
    lab = lab_for(digits_task(), SLOW)
    found = race(lab, rate(1000.0), refold=True, first_heat=2)[str(rate(1000.0))]
    runs = [lab.runs[key] for key in found.runs]
    assert len(found.seeds) >= 1 + REPEATS
    for seed in found.seeds:
        without, with_remedy = sorted((r for r in runs if r.seed == seed), key=lambda r: r.recipe.lr)
        assert without.recipe.differences(with_remedy.recipe).keys() == {"lr"}
        assert without.task == with_remedy.task, "the same division of the rows on both sides"
    assert len({r.task for r in runs}) == len(found.seeds), "another division for every seed"


def test_whoever_has_learned_nothing_yet_is_told_apart() -> None:
    found = race(lab_for(digits_task(), SLOW), rate(0.1), rate(1000.0), first_heat=2, ceiling=2.3)
    assert [found[str(rate(f))].details["learned"] for f in (0.1, 1000.0)] == [False, True]


def test_a_longer_training_is_repeated_as_the_baseline_going_on() -> None:
    """The budget pays for no pairs of it: the baseline's own fall on other seeds stands for them."""
    lab = lab_for(digits_task(), RECIPE.replace(lr=0.04, epochs=4), budget=9.0)
    lab.baseline()
    lab.spending.baseline_seconds = 10.0  # a baseline of its own length, however short
    longer = race(lab, LONGER, first_heat=2, goes_on=True)[str(LONGER)]
    assert longer.value > 0.5 and len(longer.seeds) == 1 + REPEATS
    assert longer.low is not None and longer.high is not None and 0 < longer.low <= longer.value <= longer.high
    assert len([run for run in lab.runs.values() if run.remedies]) == 1


def test_who_begins_to_learn_where_the_baseline_never_does_goes_on() -> None:
    lab = lab_for(digits_task(), SLOW.replace(epochs=16))
    found = race(lab, rate(1000.0), DECAY, priors=(0.0, 0.0), goal=-100.0, ceiling=2.3)
    assert found[str(rate(1000.0))].details["learned"] and found[str(rate(1000.0))].value < LEAST_SHARE
    assert found[str(rate(1000.0))].step == lab.total
    assert found[str(DECAY)].step == lab.horizon(HEATS[0])
