from __future__ import annotations

from evidence_by_hand import Facts

from traindx.diagnosis.rules.train_test_leakage import AGREEING, CLASS_SHARE, EXCESS_SHARE, POOL_SHARE
from traindx.records import Branch, Standing

CAUSE = "train-test-leakage"


def copied(facts: Facts, share: float, experiment: str = "audit", **details: float) -> Facts:
    known = {"within": 0.0, "error": 0.01, "agreeing": 1.0, "most_in_a_class": 0.0, **details}
    return facts.put(experiment, "copied_share", share, "validation" if experiment == "audit" else "test", text="copies", details=known)


def test_fires_on_more_copies_than_training_rows_share(facts: Facts) -> None:
    finding = copied(facts, 0.2, within=0.05).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.DATA)
    assert [r.id for r in finding.remedies] == ["remove-duplicates"]


def test_fires_on_a_pool_or_a_class_that_was_copied(facts: Facts) -> None:
    assert copied(facts, 1.1 * POOL_SHARE, within=POOL_SHARE).judged(CAUSE).standing is Standing.CONFIRMED
    assert copied(facts, 0.1, within=0.1, most_in_a_class=1.1 * CLASS_SHARE).judged(CAUSE).standing is Standing.CONFIRMED


def test_fires_on_copies_in_the_test_set(facts: Facts) -> None:
    assert copied(facts, 0.2, "two_sample").judged(CAUSE).standing is Standing.CONFIRMED


def test_stays_silent_on_natural_repetition(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED
    assert copied(facts, 0.3, within=0.3).judged(CAUSE).standing is Standing.CLEARED
    assert copied(facts, 0.1 + EXCESS_SHARE / 2, within=0.1, error=0.001).judged(CAUSE).standing is Standing.CLEARED
    assert copied(facts, 0.2, within=0.1, error=0.05).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_look_alikes_have_other_labels(facts: Facts) -> None:
    assert copied(facts, 0.9, agreeing=AGREEING - 0.05).judged(CAUSE).standing is Standing.CLEARED


def test_declines_where_rows_cannot_be_compared(facts: Facts) -> None:
    assert facts.without("audit", "copied_share").judged(CAUSE).standing is Standing.NOT_APPLICABLE
