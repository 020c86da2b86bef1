from __future__ import annotations

import pytest
from evidence_by_hand import Facts

from traindx.diagnosis.conclusion import conclude
from traindx.diagnosis.rules.base import CLEARING_SHARE
from traindx.diagnosis.rules.local_minimum import STILL_FALLING, VALLEYS
from traindx.records import Branch, RemedyRef, Standing

CAUSE = "local-minimum"


def test_fires_when_another_start_recovers_the_gap(facts: Facts) -> None:
    stuck = facts.underfitted()
    assert stuck.raced(stuck.remedies(CAUSE)[1], 1.0).judged(CAUSE).standing is Standing.CONFIRMED


def test_stays_silent_when_no_start_does_better(facts: Facts) -> None:
    stuck = facts.underfitted()
    assert stuck.raced(stuck.remedies(CAUSE)[0], 0.1).judged(CAUSE).standing is Standing.CLEARED


def in_a_valley(facts: Facts, answer: str) -> Facts:
    return facts.put("critical_point", "answer", 1.0, details={"answer": answer})


@pytest.mark.parametrize("answer", VALLEYS)
def test_suspected_in_a_valley_that_nothing_leaves(facts: Facts, answer: str) -> None:
    stuck = in_a_valley(facts.underfitted(), answer)
    found = stuck.raced(stuck.remedies(CAUSE)[0], 0.1).judged(CAUSE)
    assert found.standing is Standing.SUSPECTED and found.evidence[0].measure == "answer"
    said = conclude(stuck.raced(stuck.remedies(CAUSE)[0], 0.1).evidence)
    assert (said.branch, said.findings[0].cause) == (Branch.OPTIMIZATION, CAUSE)


def test_a_valley_is_no_suspect_where_something_left_it_or_training_is_not_large(facts: Facts) -> None:
    stuck = in_a_valley(facts.underfitted(), VALLEYS[0])
    assert stuck.raced(stuck.remedies("learning-rate-too-low")[0], 1.0).judged(CAUSE).standing is not Standing.SUSPECTED
    assert in_a_valley(facts, VALLEYS[0]).judged(CAUSE).standing is Standing.CLEARED


def test_a_saddle_that_a_step_off_it_does_not_leave_is_a_valley(facts: Facts) -> None:
    stuck, off = in_a_valley(facts.underfitted(), "saddle"), RemedyRef(id="escape-saddle")
    elsewhere = stuck.raced(stuck.remedies(CAUSE)[0], 0.1)
    assert elsewhere.judged(CAUSE).standing is not Standing.SUSPECTED
    assert elsewhere.raced(off, CLEARING_SHARE / 2).judged(CAUSE).standing is Standing.SUSPECTED


def test_a_valley_from_which_no_other_start_was_tried_is_undecided(facts: Facts) -> None:
    assert in_a_valley(facts.underfitted(), VALLEYS[0]).judged(CAUSE).standing is Standing.UNDECIDED


def test_stays_silent_where_training_is_not_large(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_on_a_loss_that_still_falls(facts: Facts) -> None:
    falling = facts.underfitted(1.8).baseline(last_half_fall=STILL_FALLING * 2.0)
    assert falling.remedies(CAUSE) == () and falling.judged(CAUSE).standing is Standing.CLEARED


def test_declines_untried_and_on_pretrained_weights(facts: Facts) -> None:
    assert facts.underfitted().judged(CAUSE).standing is Standing.UNDECIDED
    assert facts.underfitted().audit(pretrained=1.0).remedies(CAUSE) == ()
