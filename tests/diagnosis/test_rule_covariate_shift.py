from __future__ import annotations

from evidence_by_hand import NOISE, Facts

from traindx.diagnosis.rules.covariate_shift import AUC_BOUND
from traindx.records import Branch, Standing

CAUSE = "covariate-shift"


def test_fires_when_inputs_differ_and_the_test_loss_is_worse(facts: Facts) -> None:
    finding = facts.mismatched().judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.MISMATCH)
    assert [r.id for r in finding.remedies] == ["importance-weights"]
    assert (finding.evidence[0].measure, finding.evidence[0].threshold) == ("auc_within_classes", AUC_BOUND)


def test_suspects_without_test_labels(facts: Facts) -> None:
    unlabelled = facts.mismatched().without("two_sample", "test_loss", "reweighted_test_loss", "auc_within_classes", "label_distance")
    finding = unlabelled.judged(CAUSE)
    assert finding.standing is Standing.SUSPECTED and "harm is unknown" in finding.summary


def test_suspects_where_chance_may_have_made_the_test_loss_worse(facts: Facts) -> None:
    worse = facts.reading.validation + 0.5
    finding = facts.mismatched().put("two_sample", "test_loss", worse, low=worse - 1, high=worse + 1).judged(CAUSE)
    assert finding.standing is Standing.SUSPECTED and "may be chance" in finding.summary


def test_stays_silent_on_one_distribution(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_the_interval_reaches_the_bound(facts: Facts) -> None:
    unsure = facts.mismatched().put("two_sample", "auc_within_classes", AUC_BOUND + NOISE / 2, "inputs")
    assert unsure.judged(CAUSE).standing is Standing.CLEARED


def test_a_shift_that_does_no_harm_is_said_and_not_blamed(facts: Facts) -> None:
    finding = facts.mismatched(test_loss=facts.reading.validation).judged(CAUSE)
    assert finding.standing is Standing.CLEARED and "no harm" in finding.summary


def test_stays_silent_where_proportions_explain_the_harm(facts: Facts) -> None:
    shifted = facts.mismatched().put("two_sample", "reweighted_test_loss", facts.reading.validation)
    shifted = shifted.put("two_sample", "label_distance", 0.7, "labels", details={"p_value": 1e-30})
    assert shifted.judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_inputs_differ_within_classes_only(facts: Facts) -> None:
    finding = facts.mismatched().put("two_sample", "auc", 0.5, "inputs").judged(CAUSE)
    assert finding.standing is Standing.CLEARED and "labels differ" in finding.summary


def test_stays_silent_where_other_labels_take_the_harm_away(facts: Facts) -> None:
    otherwise = facts.mismatched().put("two_sample", "agreement_gain", 0.5, "labels", details={"order": "1,0"})
    assert otherwise.put("two_sample", "repaired_test_loss", 0.2).judged(CAUSE).standing is Standing.CLEARED
    assert otherwise.put("two_sample", "repaired_test_loss", 1.9).judged(CAUSE).standing is Standing.CONFIRMED


def test_declines_without_a_test_set(facts: Facts) -> None:
    finding = facts.refused("two_sample", "there is no test set").judged(CAUSE)
    assert finding.standing is Standing.NOT_APPLICABLE and "no test set" in finding.summary
