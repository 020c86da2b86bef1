from __future__ import annotations

from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.too_deep_without_skips import DEPTH_FULL, DEPTH_NONE

CAUSE = "too-deep-without-skips"


def deep(facts: Facts, layers: float = 2 * DEPTH_FULL) -> Facts:
    return facts.underfitted().baseline(weight_layers=layers)


def test_fires_when_shortcuts_recover_the_gap(facts: Facts) -> None:
    fires(deep(facts), CAUSE, "add-skips")


def test_stays_silent_on_a_few_layers(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(deep(facts, DEPTH_NONE), CAUSE)
    assert 0 < sign(deep(facts, (DEPTH_NONE * DEPTH_FULL) ** 0.5), CAUSE) < 1


def test_depth_is_no_fault_where_training_gets_to_what_is_reachable(facts: Facts) -> None:
    finding = facts.baseline(weight_layers=2 * DEPTH_FULL).judged(CAUSE)
    assert finding.standing == "cleared"


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(deep(facts), CAUSE)


def test_declines_when_layers_were_not_counted(facts: Facts) -> None:
    is_silent(deep(facts).without("baseline", "weight_layers"), CAUSE)
