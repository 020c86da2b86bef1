"""The order of the questions, and when nothing more is asked."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
from evidence_by_hand import CONSTANT, Facts, healthy

from traindx.diagnosis import RULES, next_question
from traindx.diagnosis.procedure import DIVISIONS, FEW_ROWS, LEARNING, MOST_PARAMETERS, fit_goal, hidden_before, hidden_goal
from traindx.diagnosis.rules.base import CONFIRMING_SHARE, NOTICEABLE, STRONG_SIGN
from traindx.diagnosis.rules.label_noise import LEAST_DISTANCE, SHOWN_SHARE, SUREST_FULL
from traindx.records import Question
from traindx.remedies import make_remedy

PLENTY = 100.0
FIRST = ("audit", "baseline", "references", "label_noise")


def asked(facts: Facts, runs_left: float = PLENTY) -> str:
    """The experiment that is asked for next; "" when none is."""
    question = next_question(facts.evidence, runs_left)
    return question.experiment if question else ""


def race(facts: Facts, runs_left: float = PLENTY) -> Question:
    """The race that is asked for next."""
    question = next_question(facts.evidence, runs_left)
    assert question is not None and question.experiment == "intervention", question
    return question


def settle(facts: Facts, recovered: float) -> Facts:
    """Every race that is asked for shows this recovery, until another question comes or none."""
    for _ in range(10):
        question = next_question(facts.evidence, PLENTY)
        if question is None or question.experiment != "intervention":
            return facts
        for remedy in question.remedies:
            facts = facts.raced(remedy, recovered, str(question.params["quantity"]))
    raise AssertionError("the same races are asked for again and again")


# --- The order ---------------------------------------------------------------------------------------------------------------------


def test_the_first_questions_are_those_that_need_no_answer_before() -> None:
    evidence: tuple = ()
    for name in FIRST:
        question = next_question(evidence, PLENTY)
        assert question is not None and question.experiment == name
        evidence += tuple(e for e in healthy().evidence if e.experiment == name)


def test_nothing_is_asked_of_a_healthy_training(facts: Facts) -> None:
    assert asked(facts) == ""


def test_suspect_labels_are_left_out_where_models_err_clearly_less_often_than_the_constant_predictor(facts: Facts) -> None:
    share = (SUREST_FULL + SHOWN_SHARE) / 2
    noisy = facts.contradicted(share, low=share)
    assert [ref.id for ref in race(noisy).remedies] == ["drop-suspect-labels"]
    reached = noisy.reading.value("references", "out_of_fold_metric", "linear")
    assert asked(noisy.put("references", "out_of_fold_metric", reached - LEAST_DISTANCE / 2, "constant")) != "intervention"


def test_the_test_set_is_looked_at_once_training_is_not_large(facts: Facts) -> None:
    facts = facts.without("two_sample").without("learning_curve")
    assert asked(facts) == "two_sample"
    assert asked(facts.refused("two_sample", "there is no test set")) == ""


def test_the_test_set_stays_sealed_where_it_is_known_why_training_is_large(facts: Facts) -> None:
    facts = facts.without("two_sample").without("learning_curve").underfitted()
    assert asked(facts) == "intervention"
    assert asked(settle(facts, 1.0)) != "two_sample"


def test_the_test_set_is_looked_at_last_where_nothing_shows_why_training_is_large(facts: Facts) -> None:
    facts = settle(facts.without("two_sample").without("learning_curve").underfitted(), 0.0)
    while asked(facts) == "critical_point":
        facts = settle(facts.refused("critical_point", "no curvature"), 0.0)
    assert asked(facts) == "two_sample"


def test_fit_first_then_capacity(facts: Facts) -> None:
    facts = facts.underfitted().baseline(first_last_gradient_ratio=1e-3)
    first = race(facts)
    assert {r.id for r in first.remedies} >= {"scale-rate", "swap-activations"}
    assert first.params["quantity"] == "train_loss"
    for remedy in first.remedies:
        facts = facts.raced(remedy, 0.0)
    later = set()
    while asked(facts) == "intervention":
        question = race(facts)
        later |= {r.id for r in question.remedies}
        for remedy in question.remedies:
            facts = facts.raced(remedy, 0.0)
    assert {"widen", "deepen"} <= later


def test_capacity_is_not_asked_when_another_recipe_trains_this_model(facts: Facts) -> None:
    facts = facts.underfitted()
    for remedy in race(facts).remedies:
        facts = facts.raced(remedy, 1.0)
    assert asked(facts) == ""


def test_capacity_is_not_asked_of_a_training_that_diverged(facts: Facts) -> None:
    facts = facts.diverged()
    for remedy in race(facts).remedies:
        facts = facts.raced(remedy, 0.0)
    assert asked(facts) == ""


def overfitted(facts: Facts, **rows: float) -> Facts:
    """An overfitted training whose divisions and images were looked at."""
    facts = facts.overfitted().audit(**rows).without("learning_curve").put("divisions", "validation_loss", 1.5)
    return facts.put("divisions", "lowest_validation_loss", 0.3).refused("consistency", "no images")


def constrained(facts: Facts, recovered: float) -> Facts:
    """Every remedy for overfitting was tried."""
    for cause in ("trained-too-long", "model-too-flexible"):
        for remedy in facts.remedies(cause):
            facts = facts.raced(remedy, recovered, "validation_loss", details={"least_effect": recovered})
    return facts


def test_overfitting_asks_for_divisions_then_constraints_then_more_rows(facts: Facts) -> None:
    first = next_question(facts.overfitted().without("learning_curve").evidence, PLENTY)
    assert first is not None and first.experiment == "divisions"
    assert [r.id for r in first.remedies] == ["stop-early"] and first.params["repeats"] == DIVISIONS
    assert asked(facts.overfitted().put("divisions", "validation_loss", 1.5)) == "consistency"
    then = next_question(overfitted(facts).evidence, PLENTY)
    assert then is not None and then.experiment == "constraints"
    assert {r.id for r in then.remedies} >= {"weight-decay", "dropout", "narrow"}
    assert asked(constrained(overfitted(facts), 0.0)) == "learning_curve"


def test_the_learning_curve_is_asked_once(facts: Facts) -> None:
    facts = constrained(overfitted(facts), 0.0)
    assert asked(facts.put("learning_curve", "gain_of_doubling", 0.01)) == ""
    assert asked(facts.refused("learning_curve", "too few rows")) == ""


def test_the_curve_comes_first_where_rows_are_few(facts: Facts) -> None:
    few, many = overfitted(facts, rows=FEW_ROWS - 1.0), overfitted(facts, rows=float(FEW_ROWS))
    questions = [next_question(f.evidence, PLENTY) for f in (few, many)]
    assert [q.experiment for q in questions if q] == ["learning_curve", "constraints"]


def test_a_strong_sign_is_asked_about_although_training_is_not_large(facts: Facts) -> None:
    question = race(facts.audit(feature_scale_largest=1e4))
    assert [r.id for r in question.remedies] == ["standardize-inputs"]
    assert question.params["quantity"] == "validation_loss"


def test_a_weak_sign_is_asked_about_last_and_only_where_nothing_looks_wrong(facts: Facts) -> None:
    weak = facts.audit(feature_scale_largest=4.0)
    sign = next(rule for rule in RULES if rule.cause == "unnormalized-input").sign(weak.reading)
    assert NOTICEABLE < sign < STRONG_SIGN
    question = race(weak)
    assert [r.id for r in question.remedies] == ["standardize-inputs"]
    assert question.params["goal"] == hidden_goal(weak.reading) < question.params["before"] == weak.reading.validation
    assert asked(weak.raced(question.remedies[0], 0.0, "validation_loss")) == ""
    assert asked(constrained(overfitted(weak), 0.0).put("learning_curve", "gain_of_doubling", 0.01)) == ""


def test_no_last_look_where_the_test_set_shows_harm(facts: Facts) -> None:
    assert asked(facts.mismatched().audit(feature_scale_largest=4.0)) == ""


def test_the_test_set_is_opened_before_the_last_look(facts: Facts) -> None:
    weak = facts.audit(feature_scale_largest=4.0)
    assert asked(weak.without("two_sample")) == "two_sample"


def test_a_race_states_its_gap_and_the_strength_of_each_sign(facts: Facts) -> None:
    facts = facts.underfitted().audit(feature_scale_largest=1e4)
    question = race(facts)
    assert question.params["before"] == facts.reading.train
    assert question.params["goal"] == fit_goal(facts.reading) == facts.reading.reachable
    priors = dict(zip((r.id for r in question.remedies), question.priors, strict=True))
    assert priors["standardize-inputs"] == 1 and all(0 <= p <= 1 for p in priors.values())


def test_without_references_the_goal_is_half_of_the_constant(facts: Facts) -> None:
    assert fit_goal(facts.without("references").reading) == pytest.approx(0.5 * facts.reading.sign("initial_loss"))


# --- It comes to an end ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", ["not-applicable", "not-run"])
def test_what_could_not_be_tried_is_not_asked_again(facts: Facts, measure: str) -> None:
    for trouble in (facts.underfitted(), facts.overfitted(), facts.diverged()):
        for _ in range(10):
            question = next_question(trouble.evidence, PLENTY)
            if question is None:
                break
            if question.experiment in ("intervention", "constraints"):
                trouble = trouble.race_refused(question.remedies, "cannot be done", measure)
            else:
                trouble = trouble.refused(question.experiment, "cannot be done")
        else:
            raise AssertionError("the same question is asked again and again")


@pytest.mark.parametrize("runs_left", [0.0, 0.5])
def test_what_cannot_be_paid_is_not_asked(facts: Facts, runs_left: float) -> None:
    for trouble in (facts.underfitted(), facts.overfitted(), facts.diverged(), facts.audit(feature_scale_largest=1e4)):
        assert asked(trouble.without("learning_curve"), runs_left) in ("", "two_sample")


def test_the_test_set_needs_no_training(facts: Facts) -> None:
    assert asked(facts.without("two_sample"), 0.0) == "two_sample"


def test_missing_numbers_do_not_stop_it() -> None:
    bare = Facts(e for e in healthy().evidence if e.measure in ("outcome", "train_loss", "validation_loss"))
    for experiment in ("audit", "references", "label_noise"):
        bare = bare.refused(experiment, "not plain arrays")
    assert asked(bare) in ("two_sample", "")
    assert asked(bare.put("baseline", "train_loss", math.nan)) in ("intervention", "")


# --- Rules and remedies ------------------------------------------------------------------------------------------------------------


TROUBLES = {
    "healthy": lambda f: f,
    "underfitted": lambda f: f.underfitted(),
    "overfitted": lambda f: f.overfitted(),
    "diverged": lambda f: f.diverged(),
    "mismatched": lambda f: f.mismatched(),
    "deep": lambda f: f.underfitted().baseline(weight_layers=30.0),
    "unscaled": lambda f: f.underfitted().audit(feature_scale_largest=1e4),
    "narrow": lambda f: f.underfitted().put("audit", "narrowing", 20.0, "2", details={"width": 4, "inputs": 80, "after": 80}),
    "contradicted": lambda f: f.contradicted(0.3),
    "one layer": lambda f: f.underfitted().audit(weight_layers=1.0).baseline(weight_layers=1.0),
    "no references": lambda f: f.underfitted().without("references"),
}


@pytest.mark.parametrize("trouble", sorted(TROUBLES))
def test_every_remedy_that_a_rule_names_can_be_built(facts: Facts, trouble: str) -> None:
    facts = TROUBLES[trouble](facts)
    for rule in RULES:
        for ref in (*rule.remedies(facts.reading), *rule.judge(facts.reading).remedies):
            assert make_remedy(ref).ref.id == ref.id
        assert 0 <= rule.sign(facts.reading) <= 1
        assert rule.judge(facts.reading).cause == rule.cause


def test_every_rule_has_its_tests() -> None:
    folder = Path(__file__).parent
    missing = [r.cause for r in RULES if not (folder / f"test_rule_{r.cause.replace('-', '_')}.py").exists()]
    assert missing == []


def test_causes_are_named_once() -> None:
    assert len({r.cause for r in RULES}) == len(RULES)


def test_diagnosis_loads_without_torch() -> None:
    code = "import sys, traindx.diagnosis; print(sorted({'torch', 'sklearn', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- Curvature ---------------------------------------------------------------------------------------------------------------------


def stuck(facts: Facts) -> Facts:
    """Training is large, and nothing that was tried under any question lowers the loss."""
    facts = facts.underfitted()
    for rule in RULES:
        if rule.question in ("fit", "late", "time", "capacity"):
            for ref in rule.remedies(facts.reading):
                facts = facts.raced(ref, 0.0)
    return facts


def test_where_nothing_helped_the_point_is_looked_at_and_a_saddle_is_raced_off(facts: Facts) -> None:
    assert asked(stuck(facts)) == "critical_point"
    saddle = stuck(facts).put("critical_point", "answer", 1.0, details={"answer": "saddle"})
    assert "escape-saddle" in {r.id for r in race(saddle).remedies}
    flat = stuck(facts).put("critical_point", "answer", 1.0, details={"answer": "flat"})
    assert {r.id for r in race(flat).remedies} == {"perturb-start"}, "other starts"


def test_a_large_network_is_not_looked_at(facts: Facts) -> None:
    assert asked(stuck(facts).audit(parameters=2.0 * MOST_PARAMETERS)) == "intervention"


def test_to_learn_to_say_nothing_is_no_cure(facts: Facts) -> None:
    worse = facts.baseline(train_loss=CONSTANT + 0.2, validation_loss=CONSTANT + 0.4)
    assert hidden_before(worse.reading) == CONSTANT + 0.4
    for name in ("linear", "nearest-neighbours", "gradient-boosting"):
        worse = worse.put("references", "out_of_fold_loss", CONSTANT + 0.1, name)
    assert hidden_before(worse.reading) == CONSTANT > hidden_goal(worse.reading)


# --- Where nobody has learned anything ---------------------------------------------------------------------------------------------


def dumb(facts: Facts, loss: float = 0.97 * CONSTANT) -> Facts:
    """Training ends near the constant predictor, and so do all references."""
    facts = facts.underfitted(loss).without("learning_curve")
    for name in ("linear", "nearest-neighbours", "gradient-boosting"):
        facts = facts.put("references", "out_of_fold_loss", 0.99 * CONSTANT, name)
    return facts


def test_where_nobody_learned_anything_every_remedy_may_show_that_more_is_possible(facts: Facts) -> None:
    facts = dumb(facts).baseline(median_update_ratio=6e-4)
    assert facts.reading.hardly_learned and not facts.reading.training_is_large
    first = race(facts)
    assert "scale-rate" in {r.id for r in first.remedies} and max(first.priors) < STRONG_SIGN, "not those with strong signs alone"
    assert first.params["quantity"] == "validation_loss", "learning by rote is no learning"
    asks_of_the_half = (float(first.params["before"]) - float(first.params["goal"])) * CONFIRMING_SHARE
    assert asks_of_the_half == pytest.approx(LEARNING * CONSTANT)
    assert "widen" in {r.id for r in race(settle_one(facts)).remedies}, "capacity, where no recipe helps"
    assert asked(settle(facts, 0.0)) == ""


def settle_one(facts: Facts) -> Facts:
    """The races of recipe and length that are asked for show nothing."""
    while {r.id for r in race(facts).remedies}.isdisjoint({"widen", "deepen"}):
        for remedy in race(facts).remedies:
            facts = facts.raced(remedy, 0.0, "validation_loss")
    return facts


def test_a_remedy_with_which_it_learns_ends_the_search(facts: Facts) -> None:
    facts = dumb(facts).baseline(median_update_ratio=6e-4)
    first = race(facts)
    assert asked(facts.raced(first.remedies[0], 1.5, "validation_loss")) != "intervention"


def test_nothing_is_tried_at_random_where_somebody_has_learned(facts: Facts) -> None:
    somebody = dumb(facts).put("references", "out_of_fold_loss", 0.7 * CONSTANT, "linear")
    assert not somebody.reading.hardly_learned
    assert not dumb(facts).baseline(train_loss=0.5 * CONSTANT).reading.hardly_learned, "by rote, that is"
    assert not dumb(facts).baseline(validation_loss=1.1 * CONSTANT).reading.hardly_learned, "by rote as well"
    assert not facts.reading.hardly_learned
    assert not dumb(facts).without("references").reading.hardly_learned, "nothing is known of what is possible"


@pytest.mark.parametrize(("updates", "tried"), [(9.0, True), (200.0, False)])
def test_a_handful_of_updates_is_too_few_though_rows_were_learned_by_heart(facts: Facts, updates: float, tried: bool) -> None:
    loss = facts.reading.reachable
    by_heart = loss - 0.3 * (CONSTANT - loss)
    learned = facts.baseline(train_loss=by_heart, validation_loss=loss, lowest_validation_loss=loss)
    learned = learned.audit(batch_share=1.0, planned_updates=updates)
    assert learned.reading.memorizes
    raced: set[str] = set()
    for _ in range(20):
        question = next_question(learned.evidence, PLENTY)
        if question is None or question.experiment != "intervention":
            break
        raced |= {ref.id for ref in question.remedies}
        learned = learned.raced(question.remedies[0], 0.0)
    assert ("scale-batch" in raced) is tried
