"""Training rows drawn in class proportions that are estimated for the test set without its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.remedies.match_test import LARGEST_WEIGHT, MAX_ROWS, MISMATCH
from traindx.tasks import Task
from traindx.tasks.features import Features, one_thread

# Held-out predictions of the training rows come from so many folds; a class with fewer rows has none.
FOLDS = 5


@dataclass(frozen=True)
class BlackBoxShift(Remedy):
    """Class weights from what a simple classifier predicts on the test inputs, corrected by its own confusions. Opens no test labels.

    Lipton, Wang and Smola, Detecting and correcting for label shift with black box predictors, ICML 2018, proposition 2. Right where only
    the proportions of the classes differ between training and test.
    """

    id: ClassVar[str] = "black-box-shift"
    size: ClassVar[float] = 1.75

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task with row weights."""
        labels, inputs = task.labels, task.train.inputs
        test = task.test.inputs(MISMATCH) if task.test and labels is not None else None
        if labels is None or inputs is None or test is None:
            raise NotApplicable("needs class labels, array inputs and a test set")
        position = np.unique(labels.numpy(), return_inverse=True)[1]
        if not position.any():
            raise NotApplicable("needs two classes")
        if np.bincount(position).min() < FOLDS:
            raise NotApplicable(f"a class has fewer than {FOLDS} rows")
        features = Features(inputs)
        with one_thread():
            weights = class_weights(features(inputs), position, features(test))
        if not weights.any():
            raise NotApplicable("no class of the training rows is predicted on the test set")
        return task.changed(self.ref, weights=torch.from_numpy(np.minimum(weights, LARGEST_WEIGHT)[position])), recipe


def class_weights(mine: np.ndarray, labels: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """(C,): how much more frequent each class is among rows ``theirs`` (M, F) than among ``mine`` (N, F) with labels 0..C-1 (N,)."""
    from scipy.optimize import nnls
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    rows = np.random.default_rng(0).permutation(len(mine))[:MAX_ROWS]
    mine, labels, classes = mine[rows], labels[rows], int(labels.max()) + 1
    held_out, ahead = np.zeros((len(mine), classes)), np.zeros(classes)
    for train, held in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(mine, labels):
        model = LogisticRegression(max_iter=200, C=0.1).fit(mine[train], labels[train])
        held_out[held[:, None], model.classes_[None]] = model.predict_proba(mine[held])
        ahead[model.classes_] += model.predict_proba(theirs).mean(0) / FOLDS
    confusion = np.stack([held_out[labels == c].sum(0) if (labels == c).any() else np.zeros(classes) for c in range(classes)], 1) / len(
        mine
    )
    return np.asarray(nnls(confusion, ahead)[0])
