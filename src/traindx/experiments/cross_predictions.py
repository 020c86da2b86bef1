"""What reference models fitted on parts of the training rows say of the rest of these, and of other rows.

The same models are asked on both sides, so the two compare: were the other rows drawn like the training rows, they would be predicted as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from traindx.tasks.features import one_thread


@dataclass(frozen=True)
class CrossPredictions:
    """(N, k) of the training rows by the models that have not seen them, and (folds, n, k) of other rows by the models of every fold."""

    own: np.ndarray
    other: np.ndarray


def of_classes(x: np.ndarray, labels: np.ndarray, other: np.ndarray, classes: int, folds: int = 5) -> CrossPredictions:
    """Probabilities of the classes by logistic regression and nearest neighbours together; every class has two rows at least."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.neighbors import KNeighborsClassifier

    counts = np.bincount(labels)
    splits = StratifiedKFold(int(max(2, min(folds, counts[counts > 0].min()))), shuffle=True, random_state=0).split(x, labels)

    def predicted(train: np.ndarray, rows: np.ndarray) -> np.ndarray:
        probabilities = np.zeros((len(rows), classes))
        for model in (LogisticRegression(max_iter=100, C=0.1), KNeighborsClassifier(n_neighbors=min(10, len(train)))):
            fitted = model.fit(x[train], labels[train])
            probabilities[:, fitted.classes_] += fitted.predict_proba(rows) / 2
        return probabilities

    return _crossed(splits, predicted, x, other, classes)


def of_numbers(x: np.ndarray, y: np.ndarray, other: np.ndarray, folds: int = 3) -> CrossPredictions:
    """Numbers (N, k) by ridge regression together with boosted trees (of one number a row) or nearest neighbours (of several)."""
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold

    targets = y[:, 0] if y.shape[1] == 1 else y

    def predicted(train: np.ndarray, rows: np.ndarray) -> np.ndarray:
        models = (RidgeCV(np.logspace(-2, 4, 7)), _second_model(len(train), y.shape[1]))
        return np.asarray(np.mean([m.fit(x[train], targets[train]).predict(rows).reshape(len(rows), -1) for m in models], axis=0))

    return _crossed(KFold(folds, shuffle=True, random_state=0).split(x), predicted, x, other, y.shape[1])


def _second_model(rows: int, numbers: int) -> Any:
    """What sees bends that a linear model does not."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.neighbors import KNeighborsRegressor

    if numbers > 1:
        return KNeighborsRegressor(min(10, max(1, rows // 3)))
    return HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=0)


def _crossed(
    splits: Iterable[tuple[np.ndarray, np.ndarray]], predicted: Any, x: np.ndarray, other: np.ndarray, width: int
) -> CrossPredictions:
    own, others = np.zeros((len(x), width)), []
    with one_thread():
        for train, held in splits:
            found = predicted(train, np.concatenate([x[held], other]))
            own[held] = found[: len(held)]
            others.append(found[len(held) :])
    return CrossPredictions(own, np.stack(others))
