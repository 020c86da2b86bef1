"""What pairs of losses say of a gap: intervals, and what leaves no doubt without one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from traindx.experiments.gap import HALVED, MOST_RECOVERED, Gap, Pair, interval

GAP = Gap(before=1.0, goal=0.2, ceiling=2.0)


def losses_without_and_with(share: float, pairs: int, seed: int, noise: float = 0.3) -> list[Pair]:
    """Divisions of different hardness, on which a remedy takes this share off the loss, more or less."""
    rng = np.random.default_rng(seed)
    hardness, effects = rng.uniform(0.2, 2.0, pairs), share + noise * rng.normal(size=pairs)
    return [(h, h * math.exp(-e)) for h, e in zip(hardness, effects, strict=True)]


def test_equal_effects_have_no_width() -> None:
    low, high = interval([(2.0, 1.0), (1.0, 0.5), (0.3, 0.15)])
    assert low == pytest.approx(high) == pytest.approx(1.0)


def test_an_effect_on_every_seed_is_above_zero_and_a_wavering_one_is_not() -> None:
    assert interval([(2.0, 1.0), (2.1, 1.0), (1.9, 1.0)])[0] > 0
    assert interval([(2.0, 1.0), (2.1, 2.2), (1.9, 1.8)])[0] <= 0


@pytest.mark.parametrize("pairs", [[(1.0, 2.0), (1.0, 1.9), (1.0, 2.1)], [(1.0, 1.0)] * 3, [(math.inf, 1.0), (1.0, 1.0)]])
def test_no_definite_direction_is_no_effect(pairs: list[Pair]) -> None:
    assert interval(pairs)[0] <= 0


def test_losses_below_zero_are_compared_by_difference() -> None:
    assert interval([(-1.0, -2.0), (-1.1, -2.1), (-0.9, -1.9)])[0] > 0.9


def test_more_pairs_are_narrower() -> None:
    widths = []
    for pairs in (3, 5):
        bounds = [interval(losses_without_and_with(1.5, pairs, seed)) for seed in range(50)]
        widths.append(np.median([high - low for low, high in bounds]))
    assert widths[1] < widths[0]


@pytest.mark.parametrize("pairs", [3, 5])
def test_no_effect_is_rarely_called_one(pairs: int) -> None:
    alarms = [interval(losses_without_and_with(0.0, pairs, seed))[0] > 0 for seed in range(400)]
    assert np.mean(alarms) < 0.05, "one side of a 95 % interval"


# --- The gap -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "share"), [(1.0, 0.0), (0.2, 1.0), (0.6, 0.5), (-9.0, MOST_RECOVERED), (9.0, -1.0), (math.inf, -1.0)])
def test_a_loss_closes_a_share_of_the_gap(loss: float, share: float) -> None:
    assert GAP.recovered(loss) == pytest.approx(share)


def test_losses_above_the_ceiling_are_the_same() -> None:
    assert GAP.effect(1e9, 2.0) == 0
    assert not GAP.learned(1.99) and GAP.learned(1.5)


def test_an_effect_of_different_size_on_every_seed_is_sure() -> None:
    pairs = [(1.0, 0.02), (0.6, 0.3), (0.9, 0.6)]
    assert interval(pairs)[0] < 0 < GAP.bounds(pairs, 1.0)[0]


def test_halving_the_loss_on_every_seed_is_sure_though_other_seeds_fail_less() -> None:
    pairs = [(1.0, 0.01), (0.3, 0.14), (0.35, 0.13)]
    assert min(GAP.effect(*pair) for pair in pairs) >= HALVED
    assert interval(pairs)[0] < 0 < GAP.bounds(pairs, 1.0)[0]
    assert GAP.bounds([(1.0, 0.01), (0.3, 0.2), (0.35, 0.25)], 1.0)[0] <= 0


def test_a_baseline_that_fails_on_most_seeds_is_cured_where_none_fails() -> None:
    cured = [(1.0, 0.2), (0.95, 0.25), (0.2, 0.21)]
    assert GAP.bounds(cured, 1.0) == pytest.approx((GAP.recovered(0.25), 1.0))
    assert GAP.speaks_for(cured)


@pytest.mark.parametrize(
    "pairs",
    [
        [(1.0, 0.2), (0.2, 0.21), (0.25, 0.2)],  # it fails on one seed only
        [(1.0, 0.2), (0.9, 0.25), (0.2, 0.9)],  # another fails with the remedy
        [(1.0, 0.2), (0.9, 0.25)],  # two pairs are too few
    ],
)
def test_what_leaves_a_doubt_is_not_sure(pairs: list[Pair]) -> None:
    assert GAP.bounds(pairs, 1.0)[0] <= 0


def test_a_seed_that_fails_with_the_remedy_only_contradicts_it() -> None:
    assert not GAP.speaks_for([(1.0, 0.1), (0.2, 0.9)])
