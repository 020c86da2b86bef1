"""Do the labels of other rows agree better with models than those of training rows that these have not seen?

Other rows may be easier: so agreement is compared at equal predictions. Classes and labels: against what is expected at the same confidence, an
isotonic regression on the training rows (Zadrozny and Elkan 2002). Numbers: distances from a line, within strata of the prediction, by ranks (van
Elteren 1960), which no tail rules. Every value is above what chance gives alike, with its standard error for rows drawn independently.
"""

from __future__ import annotations

import math

import numpy as np

from traindx.experiments.cross_predictions import CrossPredictions

STRATA, LEAST_IN_STRATUM = 8, 8
# Rounds of re-weighting to the line of least absolute distance.
ROUNDS = 20

Surplus = tuple[float, float]


def of_classes(expected: CrossPredictions, labels: np.ndarray, wanted: np.ndarray) -> Surplus:
    """Share of labels (n,) that agree above what is expected of such confident predictions; above chance, where classes are as frequent there."""
    mine, theirs = expected.own.argmax(1), expected.other.argmax(2)
    value, error = _calibrated(mine == labels, expected.own.max(1), theirs == wanted, expected.other.max(2))
    usual = float((mine == labels).mean()) - chance(mine, labels)
    above = float(np.mean([(part == wanted).mean() - chance(part, wanted) for part in theirs])) - usual
    return min(value, above), error


def of_labels(expected: CrossPredictions, y: np.ndarray, wanted: np.ndarray) -> Surplus:
    """The same of several labels or none a row, (N, k) and (n, k): the mean of the columns, with the error of one."""
    found = []
    for j in range(y.shape[1]):
        shares = [np.clip(part[..., j], 0, 1) for part in (expected.own, expected.other)]
        both = CrossPredictions(*(np.stack([1 - share, share], axis=-1) for share in shares))
        found.append(of_classes(both, (y[:, j] > 0.5).astype(int), (wanted[:, j] > 0.5).astype(int)))
    return _mean(found)


def of_numbers(expected: CrossPredictions, y: np.ndarray, wanted: np.ndarray) -> Surplus:
    """How much more often a training target (N, k) lies farther from its line than another row's (n, k) than the reverse: the mean of the columns."""
    return _mean([_nearer(expected.own[:, j], y[:, j], expected.other[:, :, j], wanted[:, j]) for j in range(y.shape[1])])


def chance(predicted: np.ndarray, given: np.ndarray) -> float:
    """How often two sets of labels of the same rows agree where one says nothing of the other."""
    classes = int(max(predicted.max(), given.max())) + 1
    return float(np.bincount(predicted, minlength=classes) @ np.bincount(given, minlength=classes)) / len(given) ** 2


def share_error(share: float, rows: int) -> float:
    """Standard error of a share of so many rows."""
    return math.sqrt(max(share * (1 - share), 1 / rows) / rows)


def _calibrated(mine: np.ndarray, confidence: np.ndarray, theirs: np.ndarray, other_confidence: np.ndarray) -> Surplus:
    from sklearn.isotonic import IsotonicRegression

    usual = IsotonicRegression(out_of_bounds="clip").fit(confidence, mine.astype(float))
    rows = (theirs - usual.predict(other_confidence.ravel()).reshape(theirs.shape)).mean(0)
    left = mine - usual.predict(confidence)
    floor = 1 / len(rows)
    error = math.hypot(max(float(rows.std()), floor) / math.sqrt(len(rows)), max(float(left.std()), floor) / math.sqrt(len(left)))
    return float(rows.mean()), error


def _nearer(own: np.ndarray, y: np.ndarray, other: np.ndarray, wanted: np.ndarray) -> Surplus:
    from scipy.stats import rankdata

    far = _distances(own, y)
    edges = np.quantile(own, np.linspace(0, 1, STRATA + 1)[1:-1])
    values, weights, variances = [], [], []
    for predicted in other:
        theirs = _distances(predicted, wanted)
        for stratum in range(STRATA):
            a, b = (part[np.searchsorted(edges, at) == stratum] for part, at in ((far, own), (theirs, predicted)))
            if min(len(a), len(b)) < LEAST_IN_STRATUM:
                continue
            larger = (float(rankdata(np.concatenate([a, b]))[: len(a)].sum()) - len(a) * (len(a) + 1) / 2) / (len(a) * len(b))
            values.append(2 * larger - 1)
            weights.append(len(a) * len(b) / (len(a) + len(b)))
            variances.append((len(a) + len(b) + 1) / (3 * len(a) * len(b)))
    if not values:
        return 0.0, math.inf
    share = np.array(weights) / sum(weights)
    # The folds look at the same rows: what they say together varies as what one says.
    return float(share @ values), math.sqrt(float(share**2 @ variances) * len(other))


def _distances(predicted: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(N,) from the line of least absolute distance: units and what noise flattens are no distance."""
    weights = np.ones(len(targets))
    floor = 1e-6 * max(float(targets.std()), 1e-300)
    far = np.zeros(len(targets))
    for _ in range(ROUNDS):
        share = weights / weights.sum()
        x, y = predicted - share @ predicted, targets - share @ targets
        slope = float(share @ (x * y)) / max(float(share @ (x * x)), 1e-300)
        far = np.abs(y - slope * x)
        weights = 1 / np.maximum(far, floor)
    return far


def _mean(found: list[Surplus]) -> Surplus:
    return float(np.mean([value for value, _ in found])), float(np.mean([error for _, error in found]))
