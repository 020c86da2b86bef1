from __future__ import annotations

import pytest
from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.base import SYMPTOM
from traindx.diagnosis.rules.optimizer_unsuited import ONE_RATE, PLAIN_SIGN, SPREAD_FULL, SPREAD_NONE

CAUSE = "optimizer-unsuited"


def uneven(facts: Facts, spread: float = 2 * SPREAD_FULL) -> Facts:
    """One rate, for gradients that differ by this factor from layer to layer."""
    return facts.underfitted().baseline(gradient_spread=spread)


@pytest.mark.parametrize("optimizer", ONE_RATE)
def test_fires_when_a_rate_for_each_parameter_recovers_the_gap(facts: Facts, optimizer: str) -> None:
    fires(uneven(facts).audit(optimizer=optimizer), CAUSE, "set-optimizer")
    assert sign(uneven(facts), CAUSE) == SYMPTOM


def test_plain_descent_is_a_faint_sign(facts: Facts) -> None:
    assert sign(facts.audit(momentum=0), CAUSE) == PLAIN_SIGN


def test_stays_silent_on_even_gradients(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(uneven(facts, SPREAD_NONE), CAUSE)


def test_stays_silent_on_an_adaptive_optimizer(facts: Facts) -> None:
    is_silent(uneven(facts).audit(optimizer="adam", momentum=0), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(uneven(facts), CAUSE)


def test_declines_on_an_optimizer_that_is_unknown(facts: Facts) -> None:
    is_silent(uneven(facts).without("audit", "optimizer"), CAUSE)
