from __future__ import annotations

from evidence_by_hand import Facts

from traindx.diagnosis.rules.local_minimum import STILL_FALLING
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


def test_stays_silent_on_a_loss_that_still_falls(facts: Facts) -> None:
    falling = facts.underfitted(1.8).baseline(last_half_fall=STILL_FALLING * 2.0)
    assert falling.remedies(CAUSE) == () and falling.judged(CAUSE).standing is Standing.CLEARED


def test_declines_untried_and_on_pretrained_weights(facts: Facts) -> None:
    assert facts.underfitted().judged(CAUSE).standing is Standing.UNDECIDED
    assert facts.underfitted().audit(pretrained=1.0).remedies(CAUSE) == ()
