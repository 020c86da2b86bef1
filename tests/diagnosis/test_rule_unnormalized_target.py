from __future__ import annotations

import pytest
from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.unnormalized_target import (
    FAR_FULL,
    FAR_NONE,
    OFFSET_FULL,
    OFFSET_NONE,
    SCALE_FULL,
    SCALE_NONE,
    SMALL_FULL,
    SMALL_NONE,
)

CAUSE = "unnormalized-target"


def regression(facts: Facts, std: float = 1.0, mean: float = 0.0) -> Facts:
    return facts.underfitted().audit(target_std=std, target_mean=mean)


FAR = {"large": (2 * SCALE_FULL, 0.0), "small": (SMALL_FULL / 2, 0.0), "offset": (1.0, -2 * OFFSET_FULL)}


@pytest.mark.parametrize("far", FAR)
def test_fires_when_standardised_targets_recover_the_gap(facts: Facts, far: str) -> None:
    fires(regression(facts, *FAR[far]), CAUSE, "standardize-targets")


def test_stays_silent_on_targets_of_scale_one(facts: Facts) -> None:
    is_silent(regression(facts), CAUSE)
    for std, mean in ((SCALE_NONE, 0.0), (SMALL_NONE, 0.0), (1.0, OFFSET_NONE - 0.2)):
        assert sign(regression(facts, std, mean), CAUSE) == 0


def test_targets_far_from_0_are_as_large_as_those_that_spread_as_far(facts: Facts) -> None:
    assert sign(regression(facts, FAR_FULL / 5, FAR_FULL), CAUSE) == 1 > sign(regression(facts, FAR_NONE / 5, FAR_NONE), CAUSE)


def test_stays_silent_on_classes_and_on_a_constant_target(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(regression(facts, 0.0, 2 * OFFSET_FULL), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(regression(facts, 2 * SCALE_FULL), CAUSE)
