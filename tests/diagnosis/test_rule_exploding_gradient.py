from __future__ import annotations

from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.base import NOTICEABLE, SYMPTOM
from traindx.diagnosis.rules.exploding_gradient import CLIFF_FULL, CLIFF_NONE, RATIO_FULL, RATIO_NONE

CAUSE = "exploding-gradient"


def growing(facts: Facts, ratio: float = 2 * RATIO_FULL) -> Facts:
    """The first layer's gradient over the last one's."""
    return facts.underfitted().baseline(first_last_gradient_ratio=ratio)


def cliffs(facts: Facts, height: float = 2 * CLIFF_FULL) -> Facts:
    """The largest gradient norm over the median one."""
    return facts.underfitted().baseline(highest_gradient_norm=height * facts.reading.sign("median_gradient_norm"))


def test_fires_when_clipping_recovers_the_gap(facts: Facts) -> None:
    fires(growing(facts), CAUSE, "clip-gradients")
    fires(cliffs(facts), CAUSE, "clip-gradients")
    assert sign(cliffs(facts), CAUSE) == SYMPTOM


def test_a_divergence_is_worth_a_try(facts: Facts) -> None:
    assert sign(facts.diverged(), CAUSE) == NOTICEABLE
    assert facts.diverged().remedies(CAUSE)


def test_stays_silent_on_gradients_of_like_size(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(growing(facts, RATIO_NONE), CAUSE)
    is_silent(cliffs(facts, CLIFF_NONE), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(growing(facts), CAUSE)


def test_declines_when_gradients_were_not_measured(facts: Facts) -> None:
    is_silent(cliffs(facts).without("baseline", "highest_gradient_norm", "first_last_gradient_ratio"), CAUSE)
