"""Are the numbers of a regression names of classes?

A quantity can be rounded: whoever predicts it well names the right step. Names of classes have no order, so a classifier names the right one
far more often than a rounded regression does. Reference models answer; no network is trained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from traindx.experiments.base import Lab
from traindx.experiments.references import reference_rows
from traindx.records import Evidence, Question
from traindx.tasks import Form
from traindx.tasks.features import one_thread

FOLDS = 3
LEAST_ROWS = 100


class ClassIndex:
    """The better of two classifiers against the better of two rounded regressions, out of fold on the same rows."""

    name, title, version, reads_test = "class_index", "classes or quantities", 2, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``gain_of_naming``: by how much more often the classifier is right, with its interval."""
        sample = reference_rows(lab.task)
        if sample is None or sample[2] is not Form.NUMBERS or len(sample[1]) < LEAST_ROWS or sample[1][0].numel() != 1:
            text = f"needs {LEAST_ROWS} rows of arrays, with one number each for a loss that takes any"
            return [Evidence(experiment="class_index", measure="not-applicable", value=math.nan, text=text)]
        features, targets, _ = sample
        numbers = targets.reshape(len(targets)).round().long().numpy()
        with one_thread():
            named, rounded = _right(features, numbers)
        both = named.astype(float) - rounded
        error = float(both.std() / math.sqrt(len(both)))
        gain = float(both.mean())
        return [
            Evidence(
                experiment="class_index",
                measure="gain_of_naming",
                value=gain,
                low=gain - 1.96 * error,
                high=gain + 1.96 * error,
                details={"named": float(named.mean()), "rounded": float(rounded.mean()), "rows": len(both)},
            )
        ]


def _right(features: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row whether the classifier, and whether the rounded regression, names its number without having seen it."""
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    classifiers = (LogisticRegression(C=0.1, max_iter=100), KNeighborsClassifier(10))
    regressors = (RidgeCV(np.logspace(-2, 4, 7)), KNeighborsRegressor(10))
    folds = np.random.default_rng(0).permutation(len(numbers)) % FOLDS
    right = {model: np.zeros(len(numbers), dtype=bool) for model in (*classifiers, *regressors)}
    for fold in range(FOLDS):
        held = folds == fold
        for model in right:
            predicted = model.fit(features[~held], numbers[~held]).predict(features[held])
            right[model][held] = _nearest(predicted, np.unique(numbers)) == numbers[held]
    return tuple(max((right[m] for m in models), key=lambda r: float(r.mean())) for models in (classifiers, regressors))  # type: ignore[return-value]


def _nearest(predicted: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Of the values that there are, sorted, the nearest to each prediction: stars in hundreds are rounded to hundreds."""
    return np.asarray(known[np.searchsorted((known[1:] + known[:-1]) / 2, predicted)])
