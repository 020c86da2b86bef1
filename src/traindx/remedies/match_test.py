"""Training rows drawn as the test set would draw them: by inputs (covariate shift) or by class proportions (label shift)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task, labels_of
from traindx.tasks.features import Features, one_thread

# No row is drawn more than so many times as often as the average row (truncated importance weights, Cortes, Mansour and Mohri 2010).
LARGEST_WEIGHT = 20.0
MAX_ROWS = 5000
MISMATCH = "does the test set come from elsewhere?"


@dataclass(frozen=True)
class ImportanceWeights(Remedy):
    """Draw training rows in proportion to how much a classifier takes them for test rows. Opens the test inputs, not the labels."""

    id: ClassVar[str] = "importance-weights"
    size: ClassVar[float] = 1.8

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task with row weights."""
        from sklearn.linear_model import LogisticRegression

        inputs = task.train.inputs
        test = task.test.inputs(MISMATCH) if task.test else None
        if inputs is None or test is None:
            raise NotApplicable("needs array inputs and a test set")
        features = Features(inputs)
        mine, theirs = features(inputs), features(test)
        rng = np.random.default_rng(0)
        sample = [part[rng.permutation(len(part))[:MAX_ROWS]] for part in (mine, theirs)]
        domain = np.repeat([0, 1], [len(part) for part in sample])
        with one_thread():
            model = LogisticRegression(max_iter=200, C=0.1).fit(np.concatenate(sample), domain)
        weights = np.exp(np.clip(model.decision_function(mine), -20, 20))
        weights = np.minimum(weights / weights.mean(), LARGEST_WEIGHT)
        return task.changed(self.ref, weights=torch.from_numpy(weights)), recipe


@dataclass(frozen=True)
class MatchClassProportions(Remedy):
    """Draw training rows so that classes come in the test set's proportions. Opens the test labels."""

    id: ClassVar[str] = "match-class-proportions"
    size: ClassVar[float] = 1.7

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task with row weights."""
        labels = task.labels
        if labels is None or task.test is None or not task.test.has_labels:
            raise NotApplicable("needs class labels and a labelled test set")
        targets = task.test.rows(MISMATCH).targets
        theirs = None if targets is None else labels_of(targets, task.kind)
        if theirs is None:
            raise NotApplicable("the test set has no single label a row")
        classes = int(max(labels.max(), theirs.max())) + 1
        mine = torch.bincount(labels, minlength=classes).double() / len(labels)
        wanted = torch.bincount(theirs, minlength=classes).double() / len(theirs)
        weights = (wanted / mine.clamp_min(1e-12))[labels].clamp(max=LARGEST_WEIGHT)
        if float(weights.sum()) == 0:
            raise NotApplicable("no class of the test set occurs in training")
        return task.changed(self.ref, weights=weights), recipe
