"""Choosing by a small set: the simulator against exact values, and intervals that hold in spite of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from traindx.experiments.selection_bias import ERROR, best_of, error_of_each, ladder, scores

ROWS, TRIALS = 200, 2000


@pytest.mark.parametrize("submissions", [1, 10, 100])
def test_the_best_of_many_is_as_high_as_its_distribution_says(submissions: int) -> None:
    best = scores(ROWS, submissions, TRIALS, np.random.default_rng(0)).max(1)
    mean, deviation = best_of(submissions, ROWS)
    assert best.std() == pytest.approx(deviation, rel=0.1)
    assert abs(best.mean() - mean) < 4 * deviation / np.sqrt(TRIALS)


@pytest.mark.parametrize("looks", [2, 5, 20])
def test_intervals_hold_for_all_looks_together(looks: int) -> None:
    """Bounds of every score, at the error of one look and of each of many: how often does any exclude the truth, which is one half?"""
    found = scores(ROWS, looks, TRIALS, np.random.default_rng(1)) * ROWS
    missed = {}
    for error in (ERROR, error_of_each(looks)):
        low, high = binom.ppf(error / 2, ROWS, 0.5), binom.ppf(1 - error / 2, ROWS, 0.5)
        missed[error] = float(((found < low) | (found > high)).any(1).mean())
    assert missed[error_of_each(looks)] <= ERROR < missed[ERROR]


def test_one_look_is_the_usual_interval() -> None:
    assert error_of_each(1) == error_of_each(0) == ERROR


def test_the_ladder_moves_by_more_than_its_step() -> None:
    public = np.array([[0.50, 0.52, 0.56, 0.57, 0.70]])
    assert ladder(public, 0.05).tolist() == [[0.5, 0.5, pytest.approx(0.55), pytest.approx(0.55), pytest.approx(0.7)]]


def test_the_ladder_moves_by_whole_steps_only() -> None:
    shown = ladder(scores(ROWS, 500, 20, np.random.default_rng(2)), 0.05)
    steps = np.diff(shown, axis=1)
    assert (steps >= 0).all()
    assert np.allclose(shown / 0.05, np.round(shown / 0.05))
