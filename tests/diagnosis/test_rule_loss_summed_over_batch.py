from __future__ import annotations

from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.loss_summed_over_batch import ROWS_FULL, ROWS_NONE, SUMMED

CAUSE = "loss-summed-over-batch"


def summed(facts: Facts, rows: float = 2 * ROWS_FULL) -> Facts:
    """Twice the rows cost twice as much."""
    return facts.underfitted().audit(loss_growth_with_rows=2).batches_of(rows)


def test_fires_when_the_mean_recovers_the_gap(facts: Facts) -> None:
    fires(summed(facts), CAUSE, "mean-reduction")


def test_stays_silent_on_a_mean(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(facts.underfitted().audit(loss_growth_with_rows=SUMMED), CAUSE)


def test_stays_silent_on_sums_over_a_few_rows(facts: Facts) -> None:
    is_silent(summed(facts, ROWS_NONE), CAUSE)
    assert 0 < sign(summed(facts, (ROWS_NONE * ROWS_FULL) ** 0.5), CAUSE) < 1


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(summed(facts), CAUSE)


def test_declines_when_the_loss_could_not_be_looked_at(facts: Facts) -> None:
    is_silent(summed(facts).without("audit", "loss_growth_with_rows"), CAUSE)
    is_silent(summed(facts).without("audit", "batch_share"), CAUSE)
