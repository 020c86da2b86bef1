from __future__ import annotations

from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.data_not_shuffled import ORDER_FULL, ORDER_NONE

CAUSE = "data-not-shuffled"


def in_order(facts: Facts, order: float = ORDER_FULL) -> Facts:
    """Rows are as alike as this to their neighbours, and taken in their order."""
    return facts.underfitted().audit(row_order=order, shuffled=0)


def test_fires_when_a_random_order_recovers_the_gap(facts: Facts) -> None:
    fires(in_order(facts), CAUSE, "shuffle")


def test_stays_silent_on_shuffled_batches_of_sorted_rows(facts: Facts) -> None:
    is_silent(in_order(facts).audit(shuffled=1), CAUSE)


def test_stays_silent_on_rows_that_are_in_no_order(facts: Facts) -> None:
    is_silent(in_order(facts, ORDER_NONE), CAUSE)
    is_silent(in_order(facts, -0.02), CAUSE)
    assert 0 < sign(in_order(facts, (ORDER_NONE + ORDER_FULL) / 2), CAUSE) < 1


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(in_order(facts), CAUSE)


def test_declines_on_targets_without_an_order(facts: Facts) -> None:
    is_silent(in_order(facts).without("audit", "row_order"), CAUSE)
