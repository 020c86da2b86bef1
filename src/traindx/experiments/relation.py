"""Do the labels have anything to do with the inputs? Held-out predictions against those of labels permuted on purpose.

Ridge regression and nearest neighbours predict targets (classes as indicators) out of fold; both are linear in the targets, so hundreds of
permutations cost little. The same is asked of labels shifted by a row or two. No network is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from traindx.experiments.base import Lab
from traindx.records import Evidence, Question
from traindx.tasks import Kind, labels_of
from traindx.tasks.features import Features, array_pairs, one_thread
from traindx.tasks.pool import in_order

MAX_ROWS = 3000
PERMUTATIONS = 199
# Labels that plainly explain this share are held against fewer permutations.
PLAIN_SHARE, FEW_PERMUTATIONS = 0.1, 19
FOLDS = 5
NEIGHBOURS = 15
# Rows by which labels may be out of step with inputs.
OFFSETS = (-2, -1, 1, 2)


class Relation:
    """Explained variance out of fold, of the labels as they are, permuted, and shifted."""

    name, title, version, reads_test = "relation", "labels against permuted labels", 1, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``explained`` with the p-value of a permutation test and what it could have detected, and ``explained_shifted`` by the best offset."""
        task = lab.task
        ordered = in_order(task)
        rows = array_pairs(ordered, torch.arange(min(len(ordered), MAX_ROWS)))
        if rows is None or not bool(torch.isfinite(rows[1].float()).all()):
            return [_missing("inputs and targets are not plain arrays of finite numbers")]
        features = Features(rows[0])
        if features.tokens is not None:
            return [_missing("inputs are tokens, whose order reference models do not see")]
        labels = labels_of(rows[1], task.kind)
        if labels is not None and len(labels.unique()) >= 2:
            y = np.eye(int(labels.max()) + 1)[labels.clamp_min(0).numpy()]
        elif task.kind is Kind.REGRESSION:
            y = rows[1].reshape(len(rows[1]), -1).double().numpy()
        else:
            return [_missing("rows have no single class or number")]
        y = y[:, y.std(0) > 0]
        if len(y) < 10 * FOLDS or not y.shape[1]:
            return [_missing(f"needs {10 * FOLDS} rows with targets that vary")]
        with one_thread():
            explained = _explained(features(rows[0]))
            found = explained(y)
            rng = np.random.default_rng(0)
            count = PERMUTATIONS if found < PLAIN_SHARE else FEW_PERMUTATIONS
            permuted = np.array([explained(y[rng.permutation(len(y))]) for _ in range(count)])
            shifted = {offset: explained(np.roll(y, -offset, axis=0)) for offset in OFFSETS}
        detectable = float(np.quantile(permuted, 0.95) - np.median(permuted))
        best = max(shifted, key=lambda offset: shifted[offset])
        details = {"p_value": _p_value(found, permuted), "detectable": detectable, "permuted": float(np.median(permuted)), "rows": len(y)}
        beyond = _p_value(shifted[best], permuted)
        return [
            Evidence(experiment="relation", measure="explained", value=found, details=details),
            Evidence(experiment="relation", measure="explained_shifted", value=shifted[best], details={"offset": best, "p_value": beyond}),
        ]


def _p_value(value: float, permuted: np.ndarray) -> float:
    """By rank; by the normal tail where few permutations were drawn."""
    if len(permuted) >= PERMUTATIONS:
        return float(1 + (permuted >= value).sum()) / (1 + len(permuted))
    return 0.5 * math.erfc((value - float(permuted.mean())) / (float(permuted.std(ddof=1)) * math.sqrt(2)))


def _missing(reason: str) -> Evidence:
    return Evidence(experiment="relation", measure="not-applicable", value=math.nan, text=reason)


def _explained(x: np.ndarray) -> Callable[[np.ndarray], float]:
    """The share of the targets' variance that is explained out of fold by the better of ridge regression and nearest neighbours."""
    from sklearn.neighbors import NearestNeighbors

    folds = np.random.default_rng(0).permutation(len(x)) % FOLDS
    smoothers = []
    for fold in range(FOLDS):
        train, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        inner = x[train] - x[train].mean(0)
        ridge = (x[held] - x[train].mean(0)) @ np.linalg.solve(inner.T @ inner + 0.1 * len(train) * np.eye(x.shape[1]), inner.T)
        near = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(train)), algorithm="brute").fit(x[train]).kneighbors(x[held])[1]
        smoothers.append((train, held, ridge, near))

    def explained(y: np.ndarray) -> float:
        residuals = np.zeros(2)
        total = 0.0
        for train, held, ridge, near in smoothers:
            mean = y[train].mean(0)
            total += float(((y[held] - mean) ** 2).sum())
            residuals[0] += ((y[held] - mean - ridge @ (y[train] - mean)) ** 2).sum()
            residuals[1] += ((y[held] - y[train][near].mean(1)) ** 2).sum()
        return float(1 - residuals.min() / total)

    return explained
