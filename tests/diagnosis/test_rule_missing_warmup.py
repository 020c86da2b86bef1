from __future__ import annotations

from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.base import SYMPTOM
from traindx.diagnosis.rules.missing_warmup import LAYERS, SPIKE_FULL, SPIKE_NONE

CAUSE = "missing-warmup"


def astray(facts: Facts, spike: float = 2 * SPIKE_FULL) -> Facts:
    """A batch costs this many times what the first one did."""
    return facts.underfitted().baseline(highest_batch_loss=spike * facts.reading.sign("initial_loss"), weight_layers=LAYERS)


def test_fires_when_a_warmup_recovers_the_gap(facts: Facts) -> None:
    fires(astray(facts), CAUSE, "warm-up")
    fires(facts.diverged(), CAUSE, "warm-up")


def test_is_a_symptom_that_other_causes_share(facts: Facts) -> None:
    assert sign(astray(facts), CAUSE) == sign(facts.diverged(), CAUSE) == SYMPTOM


def test_stays_silent_on_a_loss_that_falls_from_the_start(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(astray(facts, SPIKE_NONE), CAUSE)


def test_stays_silent_with_a_warmup_and_in_shallow_networks(facts: Facts) -> None:
    is_silent(astray(facts).audit(planned_warmup=0.1), CAUSE)
    is_silent(astray(facts).baseline(weight_layers=LAYERS - 1), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(astray(facts), CAUSE)
