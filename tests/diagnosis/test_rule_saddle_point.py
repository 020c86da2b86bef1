from __future__ import annotations

from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.saddle_point import EQUAL, GROWTH_FULL, PLATEAU_FULL, PLATEAU_NONE, SHOWN

CAUSE = "saddle-point"


def resting(facts: Facts, plateau: float = PLATEAU_FULL) -> Facts:
    """A loss that stays where it began, with a gradient that is small there and grows."""
    return facts.underfitted().baseline(plateau_share=plateau, first_gradient_norm=0.01, highest_gradient_norm=0.01 * GROWTH_FULL)


def test_fires_when_noise_at_the_start_recovers_the_gap(facts: Facts) -> None:
    fires(resting(facts), CAUSE, "perturb-start")


def test_equal_units_are_a_sign_without_growth(facts: Facts) -> None:
    still = resting(facts).baseline(highest_gradient_norm=0.01)
    assert sign(still, CAUSE) < sign(still.audit(unit_spread=EQUAL / 2), CAUSE)


def test_stays_silent_on_a_loss_that_falls_from_the_start(facts: Facts) -> None:
    is_silent(resting(facts, PLATEAU_NONE), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(resting(facts), CAUSE)


def test_a_training_that_ended_on_a_saddle_is_a_strong_sign_and_has_a_step_off_it(facts: Facts) -> None:
    ended = {kind: facts.underfitted().put("critical_point", "answer", 1.0, details={"answer": kind}) for kind in ("saddle", "flat")}
    assert sign(ended["saddle"], CAUSE) == SHOWN > sign(ended["flat"], CAUSE)
    assert {r.id for r in ended["saddle"].remedies(CAUSE)} == {"perturb-start", "escape-saddle"}
    assert {r.id for r in ended["flat"].remedies(CAUSE)} <= {"perturb-start"}
