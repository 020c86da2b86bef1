from __future__ import annotations

from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.dead_units import DEAD_FULL, DEAD_NONE

CAUSE = "dead-units"


def dead(facts: Facts, share: float = DEAD_FULL) -> Facts:
    """The share of units that put out 0 for every row, before the first update."""
    return facts.underfitted().audit(dead_share=share)


def test_fires_when_fresh_weights_or_leaky_rectifiers_recover_the_gap(facts: Facts) -> None:
    fires(dead(facts), CAUSE, "reinitialize", "swap-activations")


def test_stays_silent_on_units_that_fire_for_some_rows(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(dead(facts, DEAD_NONE), CAUSE)
    assert 0 < sign(dead(facts, (DEAD_NONE + DEAD_FULL) / 2), CAUSE) < 1


def test_units_that_died_in_training_are_the_work_of_others(facts: Facts) -> None:
    is_silent(facts.underfitted().baseline(final_zero_share=1.0), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(dead(facts), CAUSE)


def test_declines_on_a_model_without_rectifiers(facts: Facts) -> None:
    is_silent(dead(facts).without("audit", "dead_share"), CAUSE)


def test_dead_by_weights_that_are_no_sound_draw_is_a_symptom(facts: Facts) -> None:
    zero = dead(facts).audit(unit_spread=0.0, smallest_gain=0.0, largest_gain=0.0)
    assert 0 < sign(zero, CAUSE) < sign(zero, "bad-initialization")
    assert sign(dead(facts), CAUSE) == 1
