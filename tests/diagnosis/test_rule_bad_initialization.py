from __future__ import annotations

import pytest
from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.bad_initialization import (
    LARGE_FULL,
    LARGE_NONE,
    SMALL_FULL,
    SMALL_NONE,
    SPREAD_FULL,
    SPREAD_NONE,
    START_FULL,
    START_NONE,
    START_SIGN,
)

CAUSE = "bad-initialization"
BAD = {
    "large": {"largest_gain": 2 * LARGE_FULL},
    "small": {"smallest_gain": SMALL_FULL / 2},
    "zero": {"smallest_gain": 0.0, "unit_spread": 0.0},
    "equal units": {"unit_spread": SPREAD_FULL / 2},
}


@pytest.mark.parametrize("bad", BAD)
def test_fires_when_fresh_weights_recover_the_gap(facts: Facts, bad: str) -> None:
    fires(facts.underfitted().audit(**BAD[bad]), CAUSE, "reinitialize")


def test_a_loss_far_above_chance_at_the_start_is_a_sign(facts: Facts) -> None:
    chance = facts.reading.constant
    assert sign(facts.baseline(initial_loss=2 * START_FULL * chance), CAUSE) == START_SIGN
    is_silent(facts.underfitted().baseline(initial_loss=START_NONE * chance), CAUSE)


def test_stays_silent_on_usual_weights(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(facts.underfitted().audit(largest_gain=LARGE_NONE, smallest_gain=SMALL_NONE, unit_spread=SPREAD_NONE), CAUSE)


def test_stays_silent_on_pretrained_weights(facts: Facts) -> None:
    is_silent(facts.underfitted().audit(pretrained=1, **BAD["large"]), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(facts.underfitted().audit(**BAD["zero"]), CAUSE)
