"""What choosing by a small set does to its score, and what intervals must be to hold after several looks at it."""

from __future__ import annotations

import numpy as np

ERROR = 0.05


def error_of_each(looks: int) -> float:
    """The error of each of so many intervals, so that all of them hold together but for one time in twenty (Bonferroni; Dunn 1961)."""
    return ERROR / max(1, looks)


def scores(rows: int, submissions: int, trials: int, draws: np.random.Generator) -> np.ndarray:
    """(trials, submissions): accuracies of random predictors of two classes on so many rows."""
    return draws.binomial(rows, 0.5, (trials, submissions)) / rows


def best_of(submissions: int, rows: int) -> tuple[float, float]:
    """(mean, standard deviation) of the best of so many random accuracies, exactly: its distribution is the binomial one to that power."""
    from scipy.stats import binom

    counts = np.arange(rows + 1)
    chances = np.diff(binom.cdf(counts, rows, 0.5) ** submissions, prepend=0.0)
    mean = float(chances @ counts)
    return mean / rows, float(np.sqrt(chances @ (counts - mean) ** 2)) / rows


def ladder(public: np.ndarray, step: float) -> np.ndarray:
    """What the Ladder shows as best after every submission (Blum and Hardt, ICML 2015): it moves only by more than ``step``, and is rounded to it."""
    shown = np.empty_like(public)
    best = np.full(len(public), 0.5)
    for i in range(public.shape[1]):
        better = public[:, i] > best + step
        best = np.where(better, np.round(public[:, i] / step) * step, best)
        shown[:, i] = best
    return shown
