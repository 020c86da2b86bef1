from __future__ import annotations

import pytest
from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.base import SYMPTOM
from traindx.diagnosis.rules.missing_normalization import DRIFT_FULL, DRIFT_NONE

CAUSE = "missing-normalization"


def drifting(facts: Facts, ratio: float = 2 * DRIFT_FULL) -> Facts:
    """The spread of the last activations over that of the first."""
    return facts.underfitted().baseline(activation_scale_ratio=ratio)


@pytest.mark.parametrize("ratio", [2 * DRIFT_FULL, 0.5 / DRIFT_FULL])
def test_fires_when_normalization_recovers_the_gap(facts: Facts, ratio: float) -> None:
    fires(drifting(facts, ratio), CAUSE, "insert-normalization")
    assert sign(drifting(facts, ratio), CAUSE) == pytest.approx(SYMPTOM)


def test_stays_silent_on_activations_of_like_scale(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(drifting(facts, DRIFT_NONE), CAUSE)
    is_silent(drifting(facts, 1 / DRIFT_NONE), CAUSE)


def test_stays_silent_on_normalized_and_on_shallow_networks(facts: Facts) -> None:
    is_silent(drifting(facts).audit(norm_layers=1), CAUSE)
    is_silent(drifting(facts).baseline(weight_layers=2), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(drifting(facts), CAUSE)


def test_declines_when_activations_were_not_measured(facts: Facts) -> None:
    is_silent(drifting(facts).without("baseline", "activation_scale_ratio"), CAUSE)
