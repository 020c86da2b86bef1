from __future__ import annotations

from evidence_by_hand import Facts
from standings import cure, declines, fires, is_silent, sign

from traindx.diagnosis.rules.batch_too_small import LEAST_FACTOR, ROWS_FULL, ROWS_NONE, USUAL_ROWS

CAUSE = "batch-too-small"


def small(facts: Facts, rows: float = ROWS_FULL) -> Facts:
    return facts.underfitted().batches_of(rows)


def test_fires_when_larger_batches_recover_the_gap(facts: Facts) -> None:
    fires(small(facts), CAUSE, "scale-batch")
    fires(small(facts, 1), CAUSE, "scale-batch")
    for rows in (1, ROWS_FULL, 5):
        factor = float(cure(small(facts, rows), CAUSE, "scale-batch").params["factor"])
        assert factor >= LEAST_FACTOR and 0.75 * USUAL_ROWS <= factor * rows <= 1.25 * USUAL_ROWS


def test_stays_silent_on_batches_of_many_rows(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(small(facts, ROWS_NONE), CAUSE)
    assert 0 < sign(small(facts, (ROWS_NONE * ROWS_FULL) ** 0.5), CAUSE) < 1


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(small(facts), CAUSE)


def test_declines_without_an_audit_of_the_recipe(facts: Facts) -> None:
    is_silent(small(facts).without("audit", "batch_share"), CAUSE)
