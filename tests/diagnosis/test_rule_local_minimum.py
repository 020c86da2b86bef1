from __future__ import annotations

from evidence_by_hand import Facts

from traindx.records import Standing

CAUSE = "local-minimum"


def test_fires_when_another_start_recovers_the_gap(facts: Facts) -> None:
    stuck = facts.underfitted()
    assert stuck.raced(stuck.remedies(CAUSE)[1], 1.0).judged(CAUSE).standing is Standing.CONFIRMED


def test_stays_silent_when_no_start_does_better(facts: Facts) -> None:
    stuck = facts.underfitted()
    assert stuck.raced(stuck.remedies(CAUSE)[0], 0.1).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_training_is_not_large(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_declines_untried_and_on_pretrained_weights(facts: Facts) -> None:
    assert facts.underfitted().judged(CAUSE).standing is Standing.UNDECIDED
    assert facts.underfitted().audit(pretrained=1.0).remedies(CAUSE) == ()
