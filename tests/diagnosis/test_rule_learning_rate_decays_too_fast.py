from __future__ import annotations

from evidence_by_hand import Facts
from standings import cure, declines, fires, is_silent, sign

from traindx.diagnosis.rules.learning_rate_decays_too_fast import ADAGRAD_SIGN, SPENT_FULL, SPENT_NONE

CAUSE = "learning-rate-decays-too-fast"


def spent(facts: Facts, share: float = (1 + SPENT_FULL) / 2) -> Facts:
    """This share of the updates is done at next to no rate."""
    return facts.underfitted().audit(spent_share=share, schedule="exponential:0.5")


def test_fires_when_a_constant_rate_recovers_the_gap(facts: Facts) -> None:
    fires(spent(facts), CAUSE, "set-schedule")
    assert cure(spent(facts), CAUSE, "set-schedule").params["schedule"] == "constant"


def test_fires_on_an_optimizer_that_sums_squares_up(facts: Facts) -> None:
    facts = facts.underfitted().audit(optimizer="adagrad")
    assert sign(facts, CAUSE) == ADAGRAD_SIGN
    fires(facts, CAUSE, "set-optimizer")


def test_stays_silent_on_cosine_and_on_a_constant_rate(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(spent(facts, 0.0), CAUSE)
    is_silent(spent(facts, SPENT_NONE), CAUSE)
    assert 0 < sign(spent(facts, (SPENT_NONE + SPENT_FULL) / 2), CAUSE) < 1


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(spent(facts), CAUSE)


def test_declines_without_an_audit_of_the_recipe(facts: Facts) -> None:
    is_silent(spent(facts).without("audit", "spent_share", "optimizer"), CAUSE)
