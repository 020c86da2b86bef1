from __future__ import annotations

import pytest
from evidence_by_hand import Facts, rule

from traindx.diagnosis.rules.base import STRONG_SIGN
from traindx.diagnosis.rules.learning_rate_too_low import RATIO_FULL
from traindx.diagnosis.rules.trained_too_briefly import UPDATES_FULL
from traindx.records import Branch, Standing

CAUSE = "trained-too-briefly"


@pytest.fixture
def falling(facts: Facts) -> Facts:
    """Few updates, and the loss was still falling when they ended."""
    facts = facts.underfitted(1.0)
    return facts.baseline(updates=UPDATES_FULL, last_half_fall=0.6, last_quarter_fall=0.3, validation_last_half_fall=0.6)


def test_fires_when_a_longer_training_goes_on_falling(falling: Facts) -> None:
    finding = falling.raced(falling.remedies(CAUSE)[0], 0.9).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.OPTIMIZATION)
    assert [r.id for r in finding.remedies] == ["more-epochs"]


def test_stays_silent_on_a_sound_training(facts: Facts) -> None:
    assert rule(CAUSE).sign(facts.reading) < 0.1
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_when_more_epochs_change_nothing(falling: Facts) -> None:
    assert falling.raced(falling.remedies(CAUSE)[0], 0.0, seeds=(0,)).judged(CAUSE).standing is Standing.CLEARED


def test_declines_when_the_budget_did_not_pay_for_it(falling: Facts) -> None:
    assert rule(CAUSE).sign(falling.reading) >= STRONG_SIGN
    finding = falling.race_refused(falling.remedies(CAUSE), "not run: the budget did not pay for it", "not-run").judged(CAUSE)
    assert finding.standing is Standing.UNDECIDED and "budget" in finding.summary


def test_tiny_steps_and_divergence_are_other_causes(falling: Facts) -> None:
    assert rule(CAUSE).sign(falling.baseline(median_update_ratio=RATIO_FULL).reading) == 0
    assert rule(CAUSE).sign(falling.diverged().reading) == 0


def test_early_stopping_is_no_short_training(falling: Facts) -> None:
    stopped = falling.put("baseline", "outcome", 0.0, details={"outcome": "stopped"})
    assert rule(CAUSE).sign(stopped.reading) == 0


def test_a_handful_of_updates_is_a_beginning_unless_they_were_many_passes(facts: Facts) -> None:
    level = facts.underfitted(1.0).baseline(updates=10.0)
    assert rule(CAUSE).sign(level.baseline(epochs=0.3).reading) >= STRONG_SIGN
    assert rule(CAUSE).sign(level.baseline(epochs=10.0).reading) < STRONG_SIGN


def test_the_farther_the_longer(falling: Facts) -> None:
    def factor(facts: Facts) -> float:
        return float(facts.remedies(CAUSE)[0].params["factor"])

    assert factor(falling) <= factor(falling.baseline(last_half_fall=0.2))
    assert factor(falling) >= 2
