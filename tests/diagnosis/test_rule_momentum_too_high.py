from __future__ import annotations

from evidence_by_hand import Facts
from standings import cure, declines, fires, is_silent, sign

from traindx.diagnosis.rules.momentum_too_high import MOMENTUM_FULL, MOMENTUM_NONE
from traindx.records import Standing

CAUSE = "momentum-too-high"


def heavy(facts: Facts, momentum: float = (1 + MOMENTUM_FULL) / 2) -> Facts:
    return facts.underfitted().audit(momentum=momentum)


def test_fires_when_the_usual_momentum_recovers_the_gap(facts: Facts) -> None:
    fires(heavy(facts), CAUSE, "set-momentum")
    fires(heavy(facts.diverged()), CAUSE, "set-momentum")


def test_stays_silent_on_the_usual_momentum(facts: Facts) -> None:
    usual = cure(heavy(facts), CAUSE, "set-momentum").params["momentum"]
    assert isinstance(usual, float) and usual < MOMENTUM_NONE
    is_silent(heavy(facts, usual), CAUSE)
    is_silent(heavy(facts, 0.0), CAUSE)
    assert 0 < sign(heavy(facts, (MOMENTUM_NONE + MOMENTUM_FULL) / 2), CAUSE) < 1


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(heavy(facts), CAUSE)


def test_declines_on_an_optimizer_whose_momentum_is_unknown(facts: Facts) -> None:
    is_silent(heavy(facts).without("audit", "momentum"), CAUSE)


def test_a_loss_that_swings_is_not_taken_for_one_that_learns_by_heart(facts: Facts) -> None:
    high, low = 1.2, 0.2
    swinging = heavy(facts).baseline(train_loss=high, validation_loss=high, lowest_train_loss=low, lowest_validation_loss=low)
    level = heavy(facts).baseline(train_loss=high, validation_loss=high, lowest_train_loss=high, lowest_validation_loss=low)
    remedy = cure(swinging, CAUSE, "set-momentum")
    for baseline, standing in ((swinging, Standing.CONFIRMED), (level, Standing.UNDECIDED)):
        assert baseline.raced(remedy, 0.9, details={"lowest_validation_loss": low}).judged(CAUSE).standing is standing
