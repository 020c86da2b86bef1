"""Training without the rows whose labels a held-out prediction confidently contradicts, or whose numbers lie far from what it says or are other rows'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.remedies.exchanged_targets import exchange
from traindx.tasks import Kind, Rows, Task
from traindx.tasks.features import Features, array_pairs, one_thread

MAX_ROWS = 20_000
# Held-out predictions that judge the labels: the mean of so many of the best. Their probabilities are mixed with the uniform distribution at
# this rate when they are compared, so that one confident error does not rule a model out.
JUDGES, SMOOTHING = 2, 0.01
# Residuals beyond this many robust standard deviations belong to no noise of the usual kinds.
FAR = 8.0


def held_out_probabilities(features: np.ndarray, labels: np.ndarray, folds: int = 5) -> np.ndarray:
    """(N, C) class probabilities of every row by models that have not seen it: the mean of logistic regression and nearest neighbours."""
    return np.asarray(np.mean(_held_out(features, labels, folds), axis=0))


def judging_probabilities(features: np.ndarray, labels: np.ndarray, folds: int = 5) -> np.ndarray:
    """The same by the best two of logistic regression, nearest neighbours and a small network. Cost: seconds for thousands of rows."""
    return best_judges(_held_out(features, labels, folds, network=True), np.searchsorted(np.unique(labels), labels))


def best_judges(candidates: Sequence[np.ndarray], position: np.ndarray) -> np.ndarray:
    """The mean of the JUDGES among (N, C) held-out probabilities that give the labels at (N,) positions the lowest log loss."""
    return np.asarray(np.mean(sorted(candidates, key=lambda p: _log_loss(p, position))[:JUDGES], axis=0))


def _log_loss(probabilities: np.ndarray, position: np.ndarray) -> float:
    own = probabilities[np.arange(len(position)), position]
    return -float(np.log((1 - SMOOTHING) * own + SMOOTHING / probabilities.shape[1]).mean())


def _held_out(features: np.ndarray, labels: np.ndarray, folds: int, network: bool = False) -> list[np.ndarray]:
    """(N, C) for each model."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier

    classes, position = np.unique(labels, return_inverse=True)
    folds = int(max(2, min(folds, np.bincount(position).min())))
    results = [np.zeros((len(labels), len(classes))) for _ in range(2 + network)]
    for train, held in StratifiedKFold(folds, shuffle=True, random_state=0).split(features, position):
        models = [LogisticRegression(max_iter=100, C=0.1), KNeighborsClassifier(n_neighbors=min(10, len(train)))]
        if network:
            models.append(MLPClassifier((64,), alpha=0.1, learning_rate_init=3e-3, max_iter=20, random_state=0))
        for model, result in zip(models, results, strict=True):
            fitted = model.fit(features[train], position[train])
            result[np.ix_(held, fitted.classes_)] = fitted.predict_proba(features[held])
    return results


def suspects(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mask of rows whose label is confidently contradicted: another class is as probable as it is, on average, for its own rows.

    The rule of confident learning (Northcutt, Jiang and Chuang 2021, section 3).
    """
    position = np.searchsorted(np.unique(labels), labels)
    own = np.array([probabilities[position == c, c].mean() for c in range(probabilities.shape[1])])
    confident = np.where(probabilities >= own, probabilities, 0.0)
    return np.asarray((confident.max(1) > 0) & (confident.argmax(1) != position) & (probabilities.argmax(1) != position))


def robust_residuals(features: np.ndarray, numbers: np.ndarray, folds: int = 3) -> np.ndarray:
    """(N,): how far each number is from a held-out prediction of its median, in robust standard deviations (1.48 times the median distance)."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows = len(numbers)
    fold = np.random.default_rng(0).permutation(rows) % folds
    predicted = np.zeros(rows)
    for k in range(folds):
        held = fold == k
        model = HistGradientBoostingRegressor(
            loss="absolute_error",
            max_iter=60,
            max_leaf_nodes=15,
            min_samples_leaf=min(20, max(2, rows // 50)),
            early_stopping=False,
            random_state=0,
        )
        predicted[held] = model.fit(features[~held], numbers[~held]).predict(features[held])
    residuals = numbers - predicted
    distances = np.abs(residuals - np.median(residuals))
    return distances / max(1.4826 * float(np.median(distances)), 1e-300)


# Which rows are kept, as long as they live: a race applies the remedy again for every heat and every estimate of its cost.
_KEPT = WeakKeyDictionary[Rows, dict[Kind, np.ndarray]]()


@dataclass(frozen=True)
class DropSuspectLabels(Remedy):
    """Leave out training rows whose labels held-out predictions contradict, or whose numbers lie far from these or seem to be other rows'."""

    id: ClassVar[str] = "drop-suspect-labels"
    size: ClassVar[float] = 1.6

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task with fewer rows."""
        if task.labels is None and task.kind is not Kind.REGRESSION:
            raise NotApplicable("rows have no single class label, and no number")
        if len(task.train) > MAX_ROWS:
            raise NotApplicable(f"more than {MAX_ROWS} rows: the held-out prediction would be too dear")
        known = _KEPT.setdefault(task.train, {})
        if task.kind not in known:
            known[task.kind] = _kept(task)
        kept = known[task.kind]
        if kept.all():
            raise NotApplicable("no label is contradicted")
        return task.changed(self.ref, train=task.train.subset(torch.from_numpy(np.flatnonzero(kept)))), recipe


def _kept(task: Task) -> np.ndarray:
    """(N,) mask of the training rows that are not left out."""
    pairs = array_pairs(task.train, torch.arange(len(task.train)))
    if pairs is None:
        raise NotApplicable("inputs are not arrays")
    features = Features(pairs[0])(pairs[0])
    with one_thread():
        return ~(_contradicted(features, task.labels) if task.labels is not None else _wrong_numbers(features, pairs[1]))


def _contradicted(features: np.ndarray, labels: Tensor) -> np.ndarray:
    classes = labels.cpu().numpy()
    if np.bincount(classes)[np.unique(classes)].min() < 2:
        raise NotApplicable("a class has a single row")
    return suspects(judging_probabilities(features, classes), classes)


def _wrong_numbers(features: np.ndarray, targets: Tensor) -> np.ndarray:
    """Numbers FAR from a held-out prediction; and those that seem to be other rows', where that explains the rows best."""
    if targets[0].numel() != 1:
        raise NotApplicable("rows have several numbers")
    numbers = targets.reshape(len(targets)).double().numpy()
    found = exchange(numbers, _held_out_numbers(features, numbers))
    exchanged = found.suspects if found is not None and found.shown else np.zeros(len(numbers), dtype=bool)
    return np.asarray((robust_residuals(features, numbers) > FAR) | exchanged)


def _held_out_numbers(features: np.ndarray, numbers: np.ndarray) -> list[np.ndarray]:
    """(N,) by ridge regression, by boosting and by a small network, for each row by a model that has not seen it."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    centre, spread = numbers.mean(), max(float(numbers.std()), 1e-300)
    models = (
        RidgeCV(np.logspace(-2, 4, 7)),
        HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=0),
        make_pipeline(
            StandardScaler(), MLPRegressor(hidden_layer_sizes=(64,), alpha=0.1, learning_rate_init=3e-3, max_iter=60, random_state=0)
        ),
    )
    folds = KFold(3, shuffle=True, random_state=0)
    found = [cross_val_predict(model, features, (numbers - centre) / spread, cv=folds) for model in models]
    return [np.asarray(predicted) * spread + centre for predicted in found]
