from __future__ import annotations

from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.gradient_clipping_too_tight import EXCESS_FULL, EXCESS_NONE

CAUSE = "gradient-clipping-too-tight"


def clipped(facts: Facts, excess: float = 2 * EXCESS_FULL) -> Facts:
    """The median gradient exceeds its bound this many times."""
    return facts.underfitted().audit(clip_norm=0.01).baseline(median_gradient_norm=0.01 * excess)


def test_fires_when_free_gradients_recover_the_gap(facts: Facts) -> None:
    fires(clipped(facts), CAUSE, "loosen-clipping")


def test_stays_silent_on_a_bound_that_cuts_peaks(facts: Facts) -> None:
    is_silent(clipped(facts, EXCESS_NONE), CAUSE)
    is_silent(clipped(facts, 0.1), CAUSE)
    assert 0 < sign(clipped(facts, (EXCESS_NONE * EXCESS_FULL) ** 0.5), CAUSE) < 1


def test_stays_silent_without_a_bound(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(clipped(facts), CAUSE)


def test_declines_when_gradients_were_not_measured(facts: Facts) -> None:
    is_silent(clipped(facts).without("baseline", "median_gradient_norm"), CAUSE)
