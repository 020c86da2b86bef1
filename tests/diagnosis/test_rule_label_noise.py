from __future__ import annotations

import pytest
from evidence_by_hand import CONSTANT, Facts, rule

from traindx.diagnosis import next_question
from traindx.diagnosis.rules.base import STRONG_SIGN
from traindx.diagnosis.rules.label_noise import (
    EVEN_NONE,
    FLIPPED_FULL,
    FLIPPED_NONE,
    LEAST_DISTANCE,
    OVERLAPPING_NONE,
    PAIRED_NONE,
    SHOWN_SHARE,
    SKILL_FULL,
    SKILL_NONE,
    SUREST_FULL,
)
from traindx.records import Branch, Standing

CAUSE = "label-noise"


@pytest.fixture
def contradicted(facts: Facts) -> Facts:
    """Enough contradicted labels to ask, not enough to be shown by themselves."""
    share = (SUREST_FULL + SHOWN_SHARE) / 2
    return facts.put("label_noise", "contradicted_among_surest", share, low=share, high=share)


def test_fires_when_training_without_the_suspects_validates_better(contradicted: Facts) -> None:
    finding = contradicted.raced(contradicted.remedies(CAUSE)[0], 0.9, "validation_error").judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.DATA)
    assert [r.id for r in finding.remedies] == ["drop-suspect-labels"]


def test_fires_when_the_surest_predictions_contradict_many_labels(facts: Facts) -> None:
    finding = facts.contradicted(2 * SHOWN_SHARE).judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED
    assert finding.evidence[0].threshold == SHOWN_SHARE


def test_stays_silent_on_clean_labels(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED and not facts.remedies(CAUSE)


def test_stays_silent_when_predictions_hardly_agree_with_the_labels(facts: Facts) -> None:
    assert facts.contradicted(2 * SHOWN_SHARE, errors=SKILL_NONE).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_when_dropping_them_changes_nothing(contradicted: Facts) -> None:
    assert contradicted.raced(contradicted.remedies(CAUSE)[0], 0.0, "validation_error").judged(CAUSE).standing is Standing.CLEARED


def test_declines_when_the_suspects_cannot_be_found(contradicted: Facts) -> None:
    finding = contradicted.race_refused(contradicted.remedies(CAUSE), "rows have no single class label").judged(CAUSE)
    assert (finding.standing, finding.summary) == (Standing.NOT_APPLICABLE, "rows have no single class label")


def test_the_sign_needs_skill_contradictions_and_an_even_spread(contradicted: Facts) -> None:
    assert rule(CAUSE).sign(contradicted.reading) >= STRONG_SIGN
    share = (SUREST_FULL + SHOWN_SHARE) / 2
    poor = contradicted.contradicted(share, errors=(SKILL_NONE + SKILL_FULL) / 2, low=share)
    assert 0 < rule(CAUSE).sign(poor.reading) < 1
    assert rule(CAUSE).sign(contradicted.contradicted(share, concentration=EVEN_NONE).reading) == 0


def test_labels_may_be_wrong_more_often_than_right(facts: Facts) -> None:
    assert facts.contradicted(0.6).judged(CAUSE).standing is Standing.CONFIRMED


def test_errors_that_thin_out_towards_the_surest_rows_are_overlapping_classes(facts: Facts) -> None:
    assert facts.contradicted(2 * SHOWN_SHARE, concentration=1.7).judged(CAUSE).standing is not Standing.CONFIRMED


def test_stays_silent_when_few_rows_leave_open_how_errors_are_spread(facts: Facts) -> None:
    vague = facts.contradicted(2 * SHOWN_SHARE).put("label_noise", "concentration", 1.1, low=0.1, high=OVERLAPPING_NONE)
    assert vague.judged(CAUSE).standing is not Standing.CONFIRMED


def test_stays_silent_on_classes_that_are_alike(facts: Facts) -> None:
    twins = facts.contradicted(2 * SHOWN_SHARE).put("label_noise", "paired", PAIRED_NONE)
    assert rule(CAUSE).sign(twins.reading) == 0 and twins.judged(CAUSE).standing is Standing.CLEARED


def of_two_classes(facts: Facts, agreement: float) -> Facts:
    """Contradicted labels of two classes; predictions keep this share of the agreement that right labels have."""
    most = 0.42  # of classes with 30 and 70 % of the rows
    facts = facts.contradicted(2 * SHOWN_SHARE).without("label_noise", "paired")
    value = agreement * most
    return facts.put("label_noise", "agreement", value, low=0.9 * value, high=1.1 * value, details={"classes": 2, "most": most})


def test_two_classes_are_only_raced_for_and_only_while_predictions_agree_with_most_labels(facts: Facts) -> None:
    few, many = of_two_classes(facts, FLIPPED_FULL + 1e-6), of_two_classes(facts, FLIPPED_NONE)
    assert few.judged(CAUSE).standing is Standing.UNDECIDED and rule(CAUSE).sign(few.reading) == 1
    assert few.raced(few.remedies(CAUSE)[0], 0.9, "validation_error").judged(CAUSE).standing is Standing.CONFIRMED
    assert many.judged(CAUSE).standing is Standing.CLEARED and not many.remedies(CAUSE)


def test_no_race_where_the_constant_predictor_errs_hardly_more_often(contradicted: Facts) -> None:
    assert contradicted.judged(CAUSE).standing is Standing.UNDECIDED
    reached = contradicted.reading.value("references", "out_of_fold_metric", "linear")
    weak = contradicted.put("references", "out_of_fold_metric", reached - LEAST_DISTANCE / 2, "constant")
    assert weak.judged(CAUSE).standing is Standing.CLEARED
    slight = weak.raced(weak.remedies(CAUSE)[0], 0.9, "validation_error", details={"before": 0.3, "after": 0.298})
    assert slight.judged(CAUSE).standing is not Standing.CONFIRMED


def cleaner(facts: Facts, p_value: float = 1 - 1e-6, loss: float = 0.1) -> Facts:
    """A test loss far below validation's, on inputs that come from the same place."""
    facts = facts.baseline(train_loss=0.5 * CONSTANT, validation_loss=0.55 * CONSTANT, lowest_validation_loss=0.55 * CONSTANT)
    return facts.put("two_sample", "test_loss", loss * CONSTANT, details={"p_value": p_value}).put(
        "two_sample", "auc", 0.5, subject="inputs"
    )


def test_fires_when_the_test_set_is_far_cleaner(facts: Facts) -> None:
    finding = cleaner(facts).judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED and "test loss" in finding.summary


def test_stays_silent_when_the_test_set_is_cleaner_for_another_reason(facts: Facts) -> None:
    for other in (
        cleaner(facts, p_value=0.9),
        cleaner(facts, loss=0.5),
        cleaner(facts).put("two_sample", "auc", 0.9, subject="inputs"),
        cleaner(facts).put("two_sample", "copied_share", 0.3, details={"within": 0.0}),
        cleaner(facts).put("two_sample", "label_distance", 0.4, subject="labels"),
        cleaner(facts).audit(validation_given=1.0),
    ):
        assert other.judged(CAUSE).standing is not Standing.CONFIRMED


def better(facts: Facts, value: float = 0.2, errors: float = 6.0, auc_high: float = 0.55, experiment: str = "label_map") -> Facts:
    """Labels of other rows that agree better with models than training labels do."""
    details = {"auc": auc_high - 0.03, "auc_high": auc_high, "errors": errors, "single": True}
    return facts.put(experiment, "agreement_surplus", value, text="they agree", details=details)


@pytest.mark.parametrize("experiment", ["label_map", "two_sample"])
def test_fires_when_labels_of_other_rows_are_better(facts: Facts, experiment: str) -> None:
    finding = better(facts, experiment=experiment).judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED and [r.id for r in finding.remedies] == ["drop-suspect-labels"]


def test_training_says_no_more_where_validation_labels_are_better(facts: Facts) -> None:
    assert next_question(better(facts.audit(validation_given=1.0)).evidence, 20.0) is None


def test_stays_silent_when_labels_of_other_rows_are_better_for_another_reason(facts: Facts) -> None:
    copied = better(facts).put("audit", "copied_share", 0.3, "validation", details={"within": 0.05})
    for other in (better(facts, value=0.04), better(facts, errors=3.0), better(facts, auc_high=0.7), copied):
        assert other.judged(CAUSE).standing is not Standing.CONFIRMED


def outlying(facts: Facts, share: float, less: float, growth: float = 4.0, commonest: float = 0.01) -> Facts:
    """Numbers far from held-out predictions, of 1000."""
    details = {"less_far": less, "commonest": commonest, "rows": 1000.0, "growth": growth}
    return facts.put("label_noise", "outlying_targets", share, details=details)


def test_fires_when_numbers_lie_far_off_with_few_in_between(facts: Facts) -> None:
    finding = outlying(facts, 0.05, 0.01).judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED and [r.id for r in finding.remedies] == ["drop-suspect-labels"]


def other_rows(facts: Facts, share: float = 0.3, shown: bool = True) -> Facts:
    """Numbers that seem to be other rows', under a squared error."""
    details = {"slope": 1.4, "errors": 8.0, "inside": 0.95, "outside": 0.0, "shown": shown, "single": True}
    return outlying(facts, 0.0, 0.0).put("label_noise", "exchanged_targets", share, details=details)


def test_fires_on_numbers_of_other_rows(facts: Facts) -> None:
    noisy = other_rows(facts).baseline(validation_loss=0.6 * CONSTANT)
    finding = noisy.judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED and "other rows'" in finding.summary


def test_stays_silent_on_numbers_that_noise_explains_or_the_network_knows(facts: Facts) -> None:
    noisy = facts.baseline(validation_loss=0.6 * CONSTANT)
    assert other_rows(noisy, shown=False).judged(CAUSE).standing is Standing.CLEARED
    assert other_rows(facts.baseline(validation_loss=0.1 * CONSTANT)).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_on_tails_on_jumps_and_on_losses_that_bear_them(facts: Facts) -> None:
    for share, less, growth, commonest in (
        (0.05, 0.04, 4, 0.01),
        (0.004, 0.0, 4, 0.01),
        (0.3, 0.01, 4, 0.01),
        (0.05, 0.01, 2, 0.01),
        (0.05, 0.0, 4, 0.7),
    ):
        assert outlying(facts, share, less, growth, commonest).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_when_the_network_errs_on_fewer_rows_than_are_contradicted(facts: Facts) -> None:
    shown = facts.contradicted(2 * SHOWN_SHARE)
    assert shown.baseline(validation_metric=1 - 3 * SHOWN_SHARE).judged(CAUSE).standing is Standing.CONFIRMED
    assert shown.baseline(validation_metric=1 - SHOWN_SHARE).judged(CAUSE).standing is not Standing.CONFIRMED
