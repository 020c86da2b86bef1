"""Findings ranked, the branch, the path and the sentence."""

from __future__ import annotations

import pytest
from evidence_by_hand import CONSTANT, Facts, rule

from traindx.diagnosis import MARGIN, RULES, conclude
from traindx.diagnosis.reading import REFERENCES
from traindx.diagnosis.rules.label_noise import SHOWN_SHARE
from traindx.records import Branch, Finding, RemedyRef, Standing

ORDER = [Standing.CONFIRMED, Standing.SUSPECTED, Standing.UNDECIDED, Standing.CLEARED, Standing.NOT_APPLICABLE]


def top(facts: Facts) -> Finding:
    return conclude(facts.evidence).findings[0]


# --- Healthy -----------------------------------------------------------------------------------------------------------------------


def test_a_healthy_training_is_healthy(facts: Facts) -> None:
    answer = conclude(facts.evidence)
    assert answer.branch is Branch.HEALTHY
    assert not any(f.standing in (Standing.CONFIRMED, Standing.SUSPECTED) for f in answer.findings)
    assert answer.sentence.startswith("Nothing is wrong") and "0.15" in answer.sentence and "0.2" in answer.sentence


def test_what_ends_below_the_references_is_not_said_to_fall_short(facts: Facts) -> None:
    best = min(e.value for e in facts.evidence if e.measure == "out_of_fold_loss")
    for name in ("validation_loss", "lowest_validation_loss"):
        facts = facts.put("baseline", name, best / 2)
    sentence = conclude(facts.evidence).sentence
    assert f"validation loss at {best / 2:.3g}; the best reference model has {best:.3g}." in sentence


def test_hard_data_are_healthy_and_the_floor_is_stated(facts: Facts) -> None:
    for name in REFERENCES:
        facts = facts.put("references", "out_of_fold_loss", CONSTANT, name)
    answer = conclude(facts.underfitted(CONSTANT).evidence)
    assert answer.branch is Branch.HEALTHY
    assert any("No reference model beats the constant predictor" in line for line in answer.advice)


def test_a_gap_alone_is_no_fault(facts: Facts) -> None:
    assert conclude(facts.baseline(train_loss=0.0, lowest_train_loss=0.0).evidence).branch is Branch.HEALTHY


def test_a_harmless_shift_is_advice(facts: Facts) -> None:
    answer = conclude(facts.mismatched(test_loss=facts.reading.validation).evidence)
    assert answer.branch is Branch.HEALTHY
    assert any(line.startswith("Covariate shift") for line in answer.advice)


def test_a_small_gain_of_more_rows_is_advice(facts: Facts) -> None:
    small = facts.put("learning_curve", "gain_of_doubling", MARGIN * facts.reading.distance / 2)
    assert any("Twice the rows" in line for line in conclude(small.evidence).advice)


def test_a_gap_to_training_is_told_where_validation_is_at_what_is_reachable(facts: Facts) -> None:
    step = conclude(
        facts.baseline(train_loss=-1.0, lowest_train_loss=-1.0).put("references", "out_of_fold_loss", 0.2, "targets").evidence
    ).path[1]
    assert step.answer.startswith("no (") and step.answer.endswith("above training")
    assert "training" not in conclude(facts.evidence).path[1].answer


def test_the_sentence_tells_the_loss_as_it_was_measured(facts: Facts) -> None:
    above, diverged = facts.underfitted(3 * CONSTANT), facts.diverged()
    for facts in (above, diverged):
        facts = facts.raced(facts.remedies("learning-rate-too-high")[0], 0.9)
        sentence = conclude(facts.evidence).sentence
        assert ("the training diverged" in sentence) is (facts.reading.broken)
        assert (f"ended at {3 * CONSTANT:.3g}" in sentence) is (not facts.reading.broken)


# --- Branches ----------------------------------------------------------------------------------------------------------------------


def test_the_branch_is_that_of_the_top_confirmed_finding(facts: Facts) -> None:
    low = facts.underfitted()
    cases = {
        Branch.OPTIMIZATION: low.raced(low.remedies("learning-rate-too-low")[0], 1.0),
        Branch.MODEL_BIAS: low.raced(RemedyRef(id="deepen", params={"width": 64}), 1.0),
        Branch.OVERFITTING: facts.overfitted().raced(facts.overfitted().remedies("trained-too-long")[0], 1.0, "validation_loss"),
        Branch.MISMATCH: facts.mismatched(),
        Branch.DATA: facts.contradicted(2 * SHOWN_SHARE),
    }
    for branch, changed in cases.items():
        answer = conclude(changed.evidence)
        assert answer.branch is branch
        assert answer.findings[0].branch is branch
        assert answer.findings[0].cause.replace("-", " ") in answer.sentence


@pytest.mark.parametrize("trouble", ["underfitted", "overfitted", "diverged"])
def test_trouble_that_no_experiment_explains_is_undecided(facts: Facts, trouble: str) -> None:
    answer = conclude(getattr(facts.without("learning_curve"), trouble)().evidence)
    assert answer.branch is Branch.UNDECIDED
    assert answer.sentence.startswith("Cannot tell")


def test_an_intervention_in_doubt_names_the_branch_and_says_that_it_is_not_proven(facts: Facts) -> None:
    low = facts.underfitted()
    rate = low.remedies("learning-rate-too-low")[0]
    answer = conclude(low.raced(rate, 1.0, low=-0.2, high=2.0).evidence)
    assert answer.branch is Branch.OPTIMIZATION and "not proven" in answer.sentence
    assert (answer.findings[0].cause, answer.findings[0].standing) == ("learning-rate-too-low", Standing.SUSPECTED)
    well = conclude(facts.raced(rate, 1.0, "validation_loss", low=-0.2, high=2.0).evidence)
    assert well.branch is Branch.HEALTHY


def test_rows_plainly_learned_by_heart_are_overfitting_though_no_remedy_was_shown_to_help(facts: Facts) -> None:
    for name, loss in (("linear", 0.7), ("nearest-neighbours", 0.9), ("gradient-boosting", 0.6)):
        facts = facts.put("references", "out_of_fold_loss", loss, name)
    high = facts.without("learning_curve").overfitted()
    stopped = high.raced(high.remedies("trained-too-long")[0], 0.3, "validation_loss", low=-0.5, high=1.1)
    answer = conclude(stopped.evidence)
    assert answer.branch is Branch.OVERFITTING and "not proven" in answer.sentence
    assert (answer.findings[0].cause, answer.findings[0].standing) == ("trained-too-long", Standing.SUSPECTED)
    elsewhere = stopped.put("two_sample", "test_loss", 3.0).put("two_sample", "reweighted_test_loss", 3.0)
    assert conclude(elsewhere.evidence).branch is Branch.UNDECIDED


def test_where_nothing_is_shown_the_first_suspect_by_signs_is_told(facts: Facts) -> None:
    low = facts.without("learning_curve").underfitted().audit(feature_scale_largest=1e4)
    answer = conclude(low.evidence)
    assert answer.branch is Branch.UNDECIDED and "first suspect is unnormalized input" in answer.sentence
    assert (answer.findings[0].cause, answer.findings[0].standing) == ("unnormalized-input", Standing.SUSPECTED)


def test_a_worse_test_set_without_a_shift_is_undecided(facts: Facts) -> None:
    answer = conclude(facts.put("two_sample", "test_loss", 2.0).put("two_sample", "reweighted_test_loss", 2.0).evidence)
    assert answer.branch is Branch.UNDECIDED
    assert "test loss is 2" in answer.sentence


# --- Ranking -----------------------------------------------------------------------------------------------------------------------


def test_findings_are_in_the_order_of_their_standing(facts: Facts) -> None:
    low = facts.underfitted().audit(feature_scale_largest=1e4)
    low = low.raced(low.remedies("learning-rate-too-low")[0], 1.0).raced(low.remedies("unnormalized-input")[0], 0.3)
    findings = conclude(low.evidence).findings
    assert len(findings) == len(RULES)
    places = [ORDER.index(f.standing) for f in findings]
    assert places == sorted(places) and len(set(places)) >= 3


def test_of_remedies_that_work_alike_the_higher_score_is_on_top(facts: Facts) -> None:
    low = facts.underfitted().baseline(first_last_gradient_ratio=1e-3)
    rate, swap = low.remedies("learning-rate-too-low")[0], RemedyRef(id="swap-activations", params={"to": "relu"})
    for first, other in ((rate, swap), (swap, rate)):
        raced = low.raced(first, 1.0, details={"score": 1.2, "prior": 0.0}).raced(other, 1.0, details={"score": 0.6, "prior": 0.0})
        assert top(raced).remedies == (first,)
        assert [f.standing for f in conclude(raced.evidence).findings[:2]] == [Standing.CONFIRMED] * 2


def test_a_repeated_recovery_comes_before_a_single_one(facts: Facts) -> None:
    low = facts.underfitted().baseline(first_last_gradient_ratio=1e-3)
    rate, swap = low.remedies("learning-rate-too-low")[0], RemedyRef(id="swap-activations", params={"to": "relu"})
    answer = conclude(low.raced(rate, 0.8).raced(swap, 1.2, seeds=(0,), low=None, high=None).evidence)
    assert [f.cause for f in answer.findings[:2]] == ["learning-rate-too-low", "vanishing-gradient"]
    assert answer.findings[1].standing is Standing.SUSPECTED


def test_wrong_labels_come_before_what_learning_them_by_heart_looks_like(facts: Facts) -> None:
    noisy = facts.overfitted().contradicted(2 * SHOWN_SHARE)
    noisy = noisy.raced(noisy.remedies("trained-too-long")[0], 1.0, "validation_loss")
    assert top(noisy).cause == "label-noise"


def test_confidence_is_a_probability(facts: Facts) -> None:
    for changed in (facts, facts.underfitted(), facts.overfitted(), facts.diverged(), facts.mismatched()):
        assert all(0 <= rule(r.cause).judge(changed.reading).confidence <= 1 for r in RULES)


# --- The path ----------------------------------------------------------------------------------------------------------------------


def test_the_path_ends_at_a_large_training_loss(facts: Facts) -> None:
    path = conclude(facts.underfitted().evidence).path
    assert [step.question for step in path] == ["Is the training loss large?"]
    assert path[0].answer.startswith("yes")


def test_the_path_of_a_healthy_training_asks_all(facts: Facts) -> None:
    path = conclude(facts.evidence).path
    assert len(path) == 3 and all(step.answer.startswith("no") for step in path)
    assert len(conclude(facts.refused("two_sample", "there is no test set").evidence).path) == 2


def test_a_baseline_that_failed_gives_an_answer_and_no_error(facts: Facts) -> None:
    failed = facts.without("baseline").put("baseline", "outcome", 0.0, details={"outcome": "failed"}).baseline(epochs=0.0, updates=100.0)
    for experiment in ("references", "label_noise", "two_sample", "learning_curve"):
        failed = failed.without(experiment)
    answer = conclude(failed.evidence)
    assert answer.branch is Branch.UNDECIDED
    assert {f.standing for f in answer.findings} == {Standing.NOT_APPLICABLE}
    assert [(step.question, step.answer) for step in answer.path] == [("Does the training run?", "no")]
