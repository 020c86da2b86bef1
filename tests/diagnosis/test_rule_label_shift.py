from __future__ import annotations

import pytest
from evidence_by_hand import Facts

from traindx.diagnosis.rules.label_shift import DISTANCE_BOUND, P_BOUND
from traindx.records import Branch, Standing

CAUSE = "label-shift"


@pytest.fixture
def shifted(facts: Facts) -> Facts:
    """Other class proportions in the test set, a worse loss there, and no harm left at equal proportions."""
    facts = facts.put("two_sample", "label_distance", 0.7, "labels", details={"p_value": P_BOUND / 1e6})
    return facts.put("two_sample", "test_loss", 2.0).put("two_sample", "reweighted_test_loss", facts.reading.validation)


def test_fires_when_proportions_explain_the_harm(shifted: Facts) -> None:
    finding = shifted.judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.MISMATCH)
    assert [r.id for r in finding.remedies] == ["match-class-proportions"]
    assert finding.evidence[0].threshold == DISTANCE_BOUND


def test_stays_silent_on_equal_proportions(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED


@pytest.mark.parametrize(("distance", "p_value"), [(DISTANCE_BOUND / 2, P_BOUND / 1e6), (0.7, 2 * P_BOUND)], ids=["small", "may be chance"])
def test_stays_silent_on_a_difference_that_is_small_or_chance(shifted: Facts, distance: float, p_value: float) -> None:
    facts = shifted.put("two_sample", "label_distance", distance, "labels", details={"p_value": p_value})
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_a_shift_that_does_no_harm_is_said_and_not_blamed(shifted: Facts) -> None:
    finding = shifted.put("two_sample", "test_loss", shifted.reading.validation).judged(CAUSE)
    assert finding.standing is Standing.CLEARED and "no harm" in finding.summary


def test_stays_silent_when_the_harm_stays_at_equal_proportions(shifted: Facts) -> None:
    assert shifted.put("two_sample", "reweighted_test_loss", 2.0).judged(CAUSE).standing is Standing.CLEARED


def test_few_test_rows_of_a_class_leave_it_to_the_inputs_within_classes(shifted: Facts) -> None:
    unclear = shifted.put("two_sample", "reweighted_test_loss", 2.0, low=-1.0, high=5.0)
    alike, apart = (unclear.put("two_sample", "auc_within_classes", auc, "inputs") for auc in (0.5, 0.9))
    assert alike.judged(CAUSE).standing is Standing.CONFIRMED
    assert apart.judged(CAUSE).standing is Standing.CLEARED


def test_declines_without_test_labels(facts: Facts) -> None:
    finding = facts.without("two_sample", "label_distance", "test_loss", "reweighted_test_loss").judged(CAUSE)
    assert finding.standing is Standing.NOT_APPLICABLE and "class" in finding.summary
