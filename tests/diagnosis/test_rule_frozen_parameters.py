from __future__ import annotations

from evidence_by_hand import Facts, rule
from standings import is_silent, sign

from traindx.diagnosis.rules.frozen_parameters import FROZEN_PLAIN, PRETRAINED_SIGN
from traindx.records import Branch, Standing

CAUSE = "frozen-parameters"


def frozen(facts: Facts, share: float = 0.8, drawn: float = 0.0) -> Facts:
    """These shares of the weights are frozen, and frozen although nobody has trained them."""
    return facts.underfitted().audit(frozen_share=share, frozen_drawn_share=drawn)


def test_fires_plainly_on_random_weights_that_never_learn(facts: Facts) -> None:
    finding = frozen(facts, drawn=FROZEN_PLAIN).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.OPTIMIZATION)
    assert [ref.id for ref in finding.remedies] == ["unfreeze"]


def test_fires_plainly_where_nothing_learns_at_all(facts: Facts) -> None:
    finding = frozen(facts, share=1.0).audit(learnable=0).judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED and "every parameter is frozen" in finding.summary


def test_fires_when_unfreezing_a_pretrained_part_recovers_the_gap(facts: Facts) -> None:
    facts = frozen(facts)
    assert sign(facts, CAUSE) == PRETRAINED_SIGN
    (ref,) = facts.remedies(CAUSE)
    assert facts.raced(ref, 0.9).judged(CAUSE).standing is Standing.CONFIRMED


def test_stays_silent_where_everything_learns(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)


def test_a_small_frozen_part_is_not_seen_plainly(facts: Facts) -> None:
    assert rule(CAUSE).seen(frozen(facts, drawn=FROZEN_PLAIN / 2).reading) is None


def test_a_frozen_part_is_no_fault_where_training_gets_to_what_is_reachable(facts: Facts) -> None:
    assert facts.audit(frozen_share=0.8).judged(CAUSE).standing is Standing.CLEARED


def test_declines_when_unfreezing_was_not_tried_or_changes_nothing(facts: Facts) -> None:
    facts = frozen(facts)
    (ref,) = facts.remedies(CAUSE)
    assert facts.judged(CAUSE).standing is Standing.UNDECIDED
    assert facts.raced(ref, 0.0).judged(CAUSE).standing is Standing.CLEARED
