from __future__ import annotations

from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.saturating_activation import PINNED_FULL, PINNED_NONE

CAUSE = "saturating-activation"


def pinned(facts: Facts, share: float = PINNED_FULL) -> Facts:
    """The share of outputs that are pinned at an end, before the first update."""
    return facts.underfitted().audit(pinned_share=share)


def test_fires_when_rectifiers_or_fresh_weights_recover_the_gap(facts: Facts) -> None:
    fires(pinned(facts), CAUSE, "swap-activations", "reinitialize")


def test_units_pinned_at_the_end_are_half_a_sign(facts: Facts) -> None:
    assert sign(facts.baseline(final_pinned_share=1.0), CAUSE) == 0.5
    assert sign(pinned(facts).baseline(final_pinned_share=1.0), CAUSE) == 1


def test_stays_silent_on_units_that_move(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(pinned(facts, PINNED_NONE), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(pinned(facts), CAUSE)


def test_declines_on_a_model_without_bounded_units(facts: Facts) -> None:
    is_silent(pinned(facts).without("audit", "pinned_share"), CAUSE)
