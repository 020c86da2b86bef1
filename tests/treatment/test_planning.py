"""What a treatment chooses, what it leaves alone, and what it may spend: real trainings of some tenths of a second."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import optuna
import pytest
from sklearn.datasets import load_digits
from torch import nn

import traindx as tdx
from traindx.experiments import Lab
from traindx.experiments.verification import CHOOSING, FURTHER_REPEATS, REPEATS
from traindx.probes import default_probes
from traindx.records import Branch, Comparison, Curve, Diagnosis, Evidence, Finding, NotApplicable, Recipe, RemedyRef, Standing
from traindx.remedies import (
    AddDropout,
    Augment,
    Ensemble,
    InsertNormalization,
    MoreEpochs,
    ScaleBatch,
    ScaleRate,
    SetOptimizer,
    SetSchedule,
    ShareParameters,
)
from traindx.store import MemoryStore, Store
from traindx.tasks import Rows, SealedTest, Task
from traindx.training.executors import Serial
from traindx.treatment.averaging import averaged
from traindx.treatment.candidates import CANDIDATES, NUMBERS, Number, in_order, on_top
from traindx.treatment.choosing import WORTH, Choosing, Score
from traindx.treatment.comparing import compared
from traindx.treatment.conclusion import concluded
from traindx.treatment.planning import _candidates, _without_the_idle, branch_of, plan, validation_decides
from traindx.treatment.search import search, with_numbers
from traindx.treatment.selection import select

SLOW = Recipe(lr=3e-3, batch_size=32, epochs=12, device="cpu")
"""A rate some hundred times below the best."""
HARMFUL = ScaleRate(1e-3)
NOTHING_KNOWN = Score((math.inf,) * len(CHOOSING))


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def task(rows: int = 300, **arguments: Any) -> Task:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))[:rows]
    return Task(network, nn.CrossEntropyLoss(), ((x[order] / 16).astype(np.float32), y[order]), **arguments)


def lab(budget: float, recipe: Recipe = SLOW, memory: Store | None = None, of: Task | None = None) -> Lab:
    return Lab(of or task(), recipe, Serial(), memory or MemoryStore(), default_probes, lambda stage, done: None, budget)


def diagnosis(branch: Branch, *findings: Finding, reachable: float | None = None) -> Diagnosis:
    """As a diagnosis would end; without a reference model, nothing is known of what is reachable."""
    known = [] if reachable is None else [("constant", 2 * reachable), ("linear", reachable)]
    evidence = tuple(Evidence(experiment="references", measure="out_of_fold_loss", value=value, subject=name) for name, value in known)
    fields: dict[str, Any] = {"key": "k", "task_name": "digits", "task_fingerprint": task().fingerprint, "recipe": SLOW}
    return Diagnosis(**fields, branch=branch, sentence="by hand", findings=findings, evidence=evidence)


def finding(cause: str, *remedies: RemedyRef, standing: Standing = Standing.CONFIRMED) -> Finding:
    return Finding(cause=cause, branch=Branch.DATA, standing=standing, confidence=0.9, summary="by hand", remedies=remedies)


# --- The plan ----------------------------------------------------------------------------------------------------------------------


def test_candidates_that_help_are_found_without_a_confirmed_cause() -> None:
    mine = lab(30)
    (best,) = plan(mine, diagnosis(Branch.OPTIMIZATION))
    assert best and all(
        ref.id in {r.id for candidate in CANDIDATES[Branch.OPTIMIZATION] for r in candidate} | {"scale-batch"} for ref in best
    )
    before, after = (mine.train([mine.job(*refs, repeat=r, refold=True) for r in REPEATS], "fresh") for refs in ((), best))
    assert all(a.last("validation_loss") < b.last("validation_loss") for b, a in zip(before, after, strict=True))


def test_what_is_confirmed_comes_first_and_is_what_to_fall_back_on() -> None:
    faster = ScaleRate(30.0).ref
    plans = plan(lab(30), diagnosis(Branch.OPTIMIZATION, finding("learning-rate-too-low", faster)))
    assert plans[-1] == (faster,) and len(plans) <= 2


@pytest.mark.parametrize("branch", [Branch.MISMATCH, Branch.DATA])
def test_nothing_is_chosen_by_rows_that_cannot_say(branch: Branch) -> None:
    found = diagnosis(branch, finding("label-noise", ScaleRate(30.0).ref))
    mine = lab(30)
    assert not validation_decides(found, ())
    assert plan(mine, found) == [(ScaleRate(30.0).ref,)] and not mine.runs


def test_a_cure_of_the_descent_may_leave_a_training_that_learns_by_heart() -> None:
    mine = lab(30)
    slow, fast = (mine.train([mine.job(*refs)], "one") for refs in ((), (ScaleRate(100.0).ref, MoreEpochs(4.0).ref)))
    assert branch_of(diagnosis(Branch.OPTIMIZATION), slow) is Branch.OPTIMIZATION
    assert branch_of(diagnosis(Branch.OPTIMIZATION), fast) is Branch.OVERFITTING


@pytest.mark.parametrize(("train", "branch"), [(-1.05, Branch.OPTIMIZATION), (-2.0, Branch.OVERFITTING)])
def test_losses_may_be_negative(train: float, branch: Branch) -> None:
    losses = {"train_loss": train, "validation_loss": -1.0}
    (run,) = lab(30).train([lab(30).job()], "one")
    run = run.replace(curves={name: Curve(steps=(0,), values=(value,)) for name, value in losses.items()})
    assert branch_of(diagnosis(Branch.OPTIMIZATION), [run]) is branch


def test_a_short_budget_is_kept_for_the_verification() -> None:
    mine = lab(2 * len(REPEATS))
    assert plan(mine, diagnosis(Branch.OPTIMIZATION)) == [] and not mine.runs


@pytest.mark.parametrize("budget", [20.0, 30.0])
def test_what_is_chosen_leaves_enough_for_the_verification(budget: float) -> None:
    mine = lab(budget, SLOW.replace(epochs=50))
    plans = plan(mine, diagnosis(Branch.OPTIMIZATION))
    best = plans[0] if plans else ()
    assert mine.left >= len(REPEATS) * (mine.cost(mine.job()) + mine.cost(mine.job(*best))) - 1e-9
    assert mine.spending.runs > 0


def test_nothing_further_is_chosen_when_the_time_is_over() -> None:
    mine = lab(30)
    time.sleep(0.01)
    assert plan(mine, diagnosis(Branch.OPTIMIZATION), seconds=0.001) == [] and not mine.runs


class Locked(SealedTest):
    """A test set that nobody may look at yet."""

    def inputs(self, question: str) -> Any:
        raise AssertionError(f"the test inputs were touched to answer: {question}")

    def rows(self, question: str) -> Rows:
        raise AssertionError(f"the test labels were touched to answer: {question}")


def test_nothing_is_chosen_by_the_test_set() -> None:
    with_test = task(test=task().validation)
    assert with_test.test is not None
    with_test.test = Locked(with_test.test._rows, True)
    assert plan(lab(40, of=with_test), diagnosis(Branch.OVERFITTING)) is not None
    with pytest.raises(AssertionError, match="touched"):
        with_test.test.rows("a look")


def test_an_interrupted_choice_goes_on_where_it_was() -> None:
    class Interrupted(Exception):
        pass

    def stops_after(runs: int) -> Lab:
        mine = lab(40, memory=memory)
        keep = mine._keep

        def counted(fitted: Any) -> None:
            keep(fitted)
            done.append(fitted.run.key)
            if len(done) == runs:
                raise Interrupted

        mine._keep = counted  # type: ignore[method-assign]
        return mine

    memory, done = MemoryStore(), list[str]()
    with pytest.raises(Interrupted):
        plan(stops_after(7), diagnosis(Branch.OPTIMIZATION))
    went_on = plan(stops_after(-1), diagnosis(Branch.OPTIMIZATION))
    assert len(done) == len(set(done)), "nothing was trained twice"
    assert went_on == plan(lab(40), diagnosis(Branch.OPTIMIZATION)), "the same choice as without the interruption"


def test_it_is_said_whether_anything_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CANDIDATES, Branch.HEALTHY, ((HARMFUL,),))
    monkeypatch.setitem(NUMBERS, Branch.HEALTHY, ())
    healthy = diagnosis(Branch.HEALTHY)
    assert tdx.treat(healthy, task=task(), budget=1).sentence.endswith("can cure.")
    assert "nothing else that was tried" in tdx.treat(healthy, task=task(), budget=30).sentence


def denied(lab: Lab, ref: RemedyRef, *repeats: int) -> Lab:
    """The lab, where the remedy cannot be applied to the rows of these repeats."""
    job = lab.job

    def some(*refs: RemedyRef, **options: Any) -> Any:
        if ref in refs and options.get("repeat") in repeats:
            raise NotApplicable("a class has too few rows here")
        return job(*refs, **options)

    lab.job = some  # type: ignore[method-assign]
    return lab


def test_what_applies_on_some_divisions_is_verified_there() -> None:
    faster = ScaleRate(30.0).ref
    remedies, comparisons = compared(denied(lab(60), faster, REPEATS[3]), diagnosis(Branch.OPTIMIZATION), [(faster,)])
    assert remedies == (faster,) and comparisons[0].improved
    assert comparisons[0].seeds == tuple(SLOW.seed + r for r in (*REPEATS, *FURTHER_REPEATS) if r != REPEATS[3])


def test_what_cannot_be_verified_gives_way_to_what_can() -> None:
    fastest, faster, known = ScaleRate(100.0).ref, ScaleRate(30.0).ref, diagnosis(Branch.OPTIMIZATION)
    mine = denied(lab(60), fastest, *REPEATS[1:], *FURTHER_REPEATS)
    remedies, comparisons = compared(mine, known, [(fastest,), (faster,)])
    assert remedies == (faster,) and comparisons[0].improved
    nothing = concluded(mine, known, *compared(mine, known, [(fastest,)]), test_openings=0)
    assert not nothing.verified and nothing.remedies == () and "did not hold" in nothing.sentence


def test_what_is_confirmed_on_one_division_alone_is_not_built_upon() -> None:
    faster = ScaleRate(30.0).ref
    mine = denied(lab(60), faster, CHOOSING[2])
    assert plan(mine, diagnosis(Branch.OPTIMIZATION, finding("learning-rate-too-low", faster))) == [(faster,)]


def test_a_training_that_was_rescued_is_told_by_its_loss() -> None:
    """What diverged has no accuracy."""
    mine = lab(60, SLOW.replace(lr=1e30))
    known = diagnosis(Branch.OPTIMIZATION)
    treatment = concluded(mine, known, *compared(mine, known, [(SetOptimizer("adam", 0.01).ref,)]), test_openings=0)
    assert treatment.verified and "(validation loss inf before" in treatment.sentence and "nan" not in treatment.sentence


def compared_by_hand(measure: str, gain: float, higher_is_better: bool) -> Comparison:
    sides = {"before": (0.5, 0.5), "after": (0.5 + gain if higher_is_better else 0.5 - gain,) * 2}
    bounds = {"gain": gain, "low": gain - 0.05, "high": gain + 0.05, "probability": 0.5, "seeds": (0, 1)}
    return Comparison(measure=measure, higher_is_better=higher_is_better, **sides, **bounds)


@pytest.mark.parametrize(("loss", "accuracy", "told"), [(0.2, 0.2, "accuracy"), (0.2, 0.0, "loss"), (0.0, 0.0, "accuracy")])
def test_what_is_better_is_told_and_of_that_what_people_know_best(loss: float, accuracy: float, told: str) -> None:
    comparisons = [compared_by_hand("validation_loss", loss, False), compared_by_hand("validation accuracy", accuracy, True)]
    mine = lab(60)
    assert f"(validation {told} 0.5 before" in concluded(mine, diagnosis(Branch.HEALTHY), (ScaleRate(3.0).ref,), comparisons, 0).sentence


# --- The selection -----------------------------------------------------------------------------------------------------------------


KNOWN = Score((1.0, 2.0, 3.0), (0.5,) * 3)


def test_better_is_more_than_chance_and_more_than_nothing() -> None:
    assert Score((0.8, 1.8, 2.8), (0.5,) * 3).better(KNOWN)
    assert not Score((0.5, 2.4, 2.9), (0.5,) * 3).better(KNOWN), "the repeats do not agree"
    assert not KNOWN.better(KNOWN)
    assert not Score((1 - WORTH / 2, 2 - WORTH, 3 - 1.5 * WORTH), (0.5,) * 3).better(KNOWN), "for sure, and not worth a change"
    assert not Score((0.8, 1.8, 2.8), (0.49,) * 3).better(KNOWN), "a lower loss and a lower accuracy"
    assert Score((0.8, 1.8, 2.8), (0.45, 0.53, 0.5)).better(KNOWN), "an accuracy that is no lower than chance makes it"


def test_what_diverges_is_worse_than_anything() -> None:
    assert not Score((0.5, math.inf, 0.5), (0.5,) * 3).better(KNOWN)
    assert Score((0.5, 9.0, 0.5), (0.1,) * 3).better(Score((1.0, math.inf, 3.0), (0.5,) * 3))


def test_a_metric_that_cannot_be_had_says_nothing() -> None:
    unknown = KNOWN._replace(metrics=(math.nan,) * 3)
    assert Score((0.8, 1.8, 2.8), (math.nan,) * 3).better(unknown) and not unknown.better(unknown)
    assert not Score((0.8, 1.8, 2.8), (math.nan,) * 3).better(KNOWN), "it could be had before"


def test_errors_are_better_when_lower() -> None:
    x, y = load_digits(return_X_y=True)
    rows = ((x[:200] / 16).astype(np.float32), y[:200, None].astype(np.float32))
    regression = Task(lambda: nn.Linear(64, 1), nn.MSELoss(), rows)
    assert regression.metric is not None and not regression.metric.higher_is_better
    assert Choosing(lab(30, of=regression), None).score((), "before").metrics[0] < 0


def test_the_best_is_taken_then_the_best_on_top_of_it() -> None:
    choosing = Choosing(lab(80), None)
    before = choosing.score((), "before")
    candidates = [
        (HARMFUL.ref,),
        (ScaleRate(3.0).ref,),
        (ScaleRate(30.0).ref,),
        (ShareParameters().ref,),
        (SetSchedule("cosine").ref, MoreEpochs(3.0).ref),
    ]
    chosen, score = select(choosing, candidates, (), before)
    assert {r.id for r in chosen} == {"scale-rate", "set-schedule", "more-epochs"}
    assert ScaleRate(30.0).ref in chosen, "the better of two that take the same place"
    assert score.better(before) and score == choosing.score(chosen, "chosen")


def test_what_cannot_be_applied_on_every_repeat_is_not_taken() -> None:
    best, next_best = ScaleRate(30.0).ref, ScaleRate(10.0).ref
    choosing = Choosing(denied(lab(60), best, CHOOSING[1]), None)
    assert select(choosing, [(best,), (next_best,)], (), choosing.score((), "before"))[0] == (next_best,)


def test_what_does_not_help_costs_one_training() -> None:
    mine = lab(30)
    choosing = Choosing(mine, None)
    before = choosing.score((), "before")
    begun = mine.spending.runs
    assert select(choosing, [(HARMFUL.ref,)], (), before) == ((), before)
    assert mine.spending.runs - begun == pytest.approx(mine.cost(mine.job(HARMFUL.ref)))


@pytest.mark.parametrize("budget", [16.0, 22.0, 30.0, 40.0])
def test_the_verification_of_the_best_is_kept_back(budget: float) -> None:
    mine = lab(budget)
    choosing = Choosing(mine, None)
    chosen, _ = select(choosing, [(MoreEpochs(3.0).ref,), (ScaleRate(30.0).ref,), (ScaleRate(10.0).ref,)], (), choosing.score((), "before"))
    assert mine.left >= len(REPEATS) * (mine.cost(mine.job()) + mine.cost(mine.job(*chosen))) - 1e-9


# --- The search --------------------------------------------------------------------------------------------------------------------


def test_the_search_finds_a_rate_and_leaves_optuna_as_it_was() -> None:
    kept = optuna.logging.get_verbosity()
    choosing = Choosing(lab(30), None)
    numbers = tuple(n for n in NUMBERS[Branch.OPTIMIZATION] if n.remedy == ScaleRate.id)
    known = choosing.score((), "before")
    (found,) = search(choosing, (), known, numbers, seed=0)
    assert found.id == ScaleRate.id and float(found.params["factor"]) > 1.5
    assert optuna.logging.get_verbosity() == kept
    assert choosing.score((found,), "found").better(known)


def test_weak_trials_are_given_up_early() -> None:
    mine = lab(80)
    search(Choosing(mine, None), (), NOTHING_KNOWN, NUMBERS[Branch.OPTIMIZATION], seed=0)
    begun = [run for run in mine.runs.values() if run.horizon is not None and "ramp" not in run.recipe.schedule]
    finished = [run for run in mine.runs.values() if run.horizon is None and run.seed == SLOW.seed + CHOOSING[-1]]
    assert len(begun) > 2 * len(finished)


def test_a_search_in_which_nothing_applies_ends() -> None:
    too_large = Number("scale-batch", "factor", 100.0, 200.0)
    assert search(Choosing(lab(30), None), (), NOTHING_KNOWN, (too_large,), seed=0) == ()


def test_what_is_idle_is_left_out_again() -> None:
    choosing = Choosing(lab(40), None)
    faster, idle = ScaleRate(30.0).ref, ScaleBatch(1.0).ref
    assert _without_the_idle(choosing, (), (faster, idle)) == (faster,)
    assert _without_the_idle(choosing, (idle,), (idle, faster)) == (idle, faster), "it is what was found"


def test_numbers_take_the_place_of_those_chosen_before() -> None:
    rate = Number(ScaleRate.id, "factor", 0.1, 10.0, relative=True)
    chosen = (ScaleRate(30.0).ref, AddDropout(0.2).ref)
    assert rate.within(chosen) == (3.0, 300.0) and rate.within(()) == (0.1, 10.0)
    assert with_numbers(chosen, (rate,), {ScaleRate.id: 12.0}) == (AddDropout(0.2).ref, ScaleRate(12.0).ref)


def test_the_search_begins_at_what_is_chosen() -> None:
    rate, dropout = Number(ScaleRate.id, "factor", 0.1, 10.0, relative=True), Number(AddDropout.id, "p", 0.05, 0.6)
    chosen = (ScaleRate(30.0).ref, AddDropout(0.2).ref)
    assert (rate.nearest(chosen), dropout.nearest(chosen)) == (30.0, 0.2)
    assert (rate.nearest(()), dropout.nearest(())) == (1.0, 0.05), "where nothing is, as little as can be"


def test_operations_on_layers_come_between_another_network_and_what_changes_its_inputs() -> None:
    refs = [r.ref for r in (Augment(), InsertNormalization(), ShareParameters())]
    assert [r.id for r in in_order(refs)] == ["share-parameters", "insert-normalization", "augment"]


def test_several_networks_are_around_all_else() -> None:
    assert [r.id for r in in_order([r.ref for r in (Ensemble(), Augment(), InsertNormalization())])][-1] == "ensemble"


def test_a_factor_on_the_rate_goes_with_the_optimizer_it_was_of() -> None:
    adam = SetOptimizer("adam", 0.01).ref
    assert on_top((ScaleRate(0.1).ref, AddDropout(0.2).ref), (adam,)) == (AddDropout(0.2).ref, adam)
    assert on_top((adam,), (ScaleRate(3.0).ref,)) == (adam, ScaleRate(3.0).ref)


def test_the_schedule_that_is_there_is_no_part_of_a_candidate() -> None:
    listed = _candidates(lab(30, SLOW.replace(schedule="cosine")), diagnosis(Branch.OPTIMIZATION), Branch.OPTIMIZATION)
    assert (MoreEpochs(3.0).ref,) in listed and all(ref != SetSchedule("cosine").ref for refs in listed for ref in refs)


# --- Several networks --------------------------------------------------------------------------------------------------------------


def test_several_networks_are_tried_where_they_can_be_verified() -> None:
    assert averaged(Choosing(lab(60), None), (ScaleRate(30.0).ref,)) == (ScaleRate(30.0).ref, Ensemble(3).ref)
    assert averaged(Choosing(lab(18), None), (ScaleRate(30.0).ref,)) == (ScaleRate(30.0).ref, Ensemble(2).ref)
    poor = lab(2 * len(REPEATS))
    assert averaged(Choosing(poor, None), ()) == () and not poor.runs


def test_networks_that_end_alike_are_not_worth_their_cost() -> None:
    """A convex loss has one minimum, whatever the start."""
    x, y = load_digits(return_X_y=True)
    rows = ((x[:200, 20:24] / 16).astype(np.float32), y[:200, None].astype(np.float32))
    linear = Task(lambda: nn.Linear(4, 1), nn.MSELoss(), rows)
    mine = lab(60, SLOW.replace(lr=0.1, epochs=60), of=linear)
    assert averaged(Choosing(mine, None), ()) == () and len(mine.runs) == 1


def test_several_networks_cost_as_many_times_as_much() -> None:
    mine = lab(60)
    once, thrice = mine.job(), mine.job(Ensemble(3).ref)
    assert mine.cost(thrice) == pytest.approx(3 * mine.cost(once))
    mine.train([thrice], "three")
    assert mine.spending.runs == pytest.approx(mine.cost(thrice))
    mine.train([once], "one")
    limits = [mine._limit_s(jobs) for jobs in ([once], [once, thrice], [])]
    assert limits[0] is not None and limits == [limits[0], 3 * limits[0], limits[0]]


def test_every_branch_has_its_candidates_and_numbers() -> None:
    assert set(CANDIDATES) == set(NUMBERS) == set(Branch)
    assert all(len({str([r.ref for r in c]) for c in listed}) == len(listed) for listed in CANDIDATES.values())
