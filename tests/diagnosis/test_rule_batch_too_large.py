from __future__ import annotations

from evidence_by_hand import Facts
from standings import cure, declines, fires, is_silent, sign

from traindx.diagnosis.rules.batch_too_large import SHARE_FULL, SHARE_NONE, UPDATES_FULL, UPDATES_NONE

CAUSE = "batch-too-large"


def large(facts: Facts, share: float = 2 * SHARE_FULL, updates: float = UPDATES_FULL / 2) -> Facts:
    """Batches of this share of the rows, and this many updates."""
    return facts.underfitted().audit(batch_share=share, planned_updates=updates)


def test_fires_when_smaller_batches_recover_the_gap(facts: Facts) -> None:
    fires(large(facts), CAUSE, "scale-batch")
    assert float(cure(large(facts), CAUSE, "scale-batch").params["factor"]) < 1


def test_stays_silent_on_few_updates_of_small_batches(facts: Facts) -> None:
    is_silent(large(facts, share=SHARE_NONE), CAUSE)


def test_stays_silent_on_many_updates_of_large_batches(facts: Facts) -> None:
    is_silent(large(facts, updates=UPDATES_NONE), CAUSE)


def test_the_weaker_of_both_signs_counts(facts: Facts) -> None:
    between = (SHARE_NONE * SHARE_FULL) ** 0.5
    assert 0 < sign(large(facts, between), CAUSE) < sign(large(facts), CAUSE) == 1


def test_a_larger_batch_that_helps_says_nothing_of_a_smaller_one(facts: Facts) -> None:
    facts = large(facts)
    larger = cure(facts, CAUSE, "scale-batch").replace(params={"factor": 8.0})
    assert "not run: another remedy settled the question" in facts.raced(larger, 0.9).judged(CAUSE).summary
    assert "not run: the budget ended" in facts.raced(larger, 0.6).judged(CAUSE).summary


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(large(facts), CAUSE)
