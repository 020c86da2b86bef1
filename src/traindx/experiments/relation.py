"""Do the labels have anything to do with the inputs? Held-out predictions against those of labels permuted on purpose.

Ridge regression and nearest neighbours predict targets (classes as indicators) out of fold; both are linear in the targets, so hundreds of
permutations cost little. The same is asked of labels shifted by a row or two. Rows of tokens are compared by the tokens they share, those
they share in the same place, and the pairs of neighbours they share. No network is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from traindx.experiments.base import Lab
from traindx.experiments.layout import coded_columns
from traindx.records import Evidence, Question
from traindx.tasks import Kind, labels_of
from traindx.tasks.features import Features, array_pairs, one_thread
from traindx.tasks.pool import in_order

MAX_ROWS, MAX_TOKEN_ROWS = 3000, 1500
# Pairs of neighbouring tokens are counted in so many bins.
PAIR_BINS = 2048
PERMUTATIONS = 199
# Labels that plainly explain this share are held against fewer permutations.
PLAIN_SHARE, FEW_PERMUTATIONS = 0.1, 19
FOLDS = 5
NEIGHBOURS = 15
# Rows by which labels may be out of step with inputs.
OFFSETS = (-2, -1, 1, 2)
# A column that correlates by more than this with a target, or with another column of the next row, holds the same; of wide rows some are looked at.
SLID, MOST_COLUMNS = 0.99, 400


class Relation:
    """Explained variance out of fold, of the labels as they are, permuted, and shifted."""

    name, title, version, reads_test = "relation", "labels against permuted labels", 5, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``explained`` with the p-value of a permutation test and what it could have detected, and ``explained_shifted`` by the best offset, but for windows that slide over a series."""
        task = lab.task
        ordered = in_order(task)
        rows = array_pairs(ordered, torch.arange(min(len(ordered), MAX_ROWS)))
        if rows is None or not bool(torch.isfinite(rows[1].float()).all()):
            return [_missing("inputs and targets are not plain arrays of finite numbers")]
        features = Features(rows[0], coded_columns(task))
        if features.tokens is not None:
            rows = rows[0][:MAX_TOKEN_ROWS], rows[1][:MAX_TOKEN_ROWS]
        labels = labels_of(rows[1], task.kind)
        if labels is not None and len(labels.unique()) >= 2:
            y = np.eye(int(labels.max()) + 1)[labels.clamp_min(0).numpy()]
        elif task.kind in (Kind.REGRESSION, Kind.MULTILABEL):
            y = rows[1].reshape(len(rows[1]), -1).double().numpy()
        else:
            return [_missing("rows have no single class or number")]
        y = y[:, y.std(0) > 0]
        if len(y) < 10 * FOLDS or not y.shape[1]:
            return [_missing(f"needs {10 * FOLDS} rows with targets that vary")]
        with one_thread():
            x = features(rows[0]) if features.tokens is None else None
            explained = _explained(_smoothers_of_tokens(rows[0].numpy()) if x is None else _smoothers_of_vectors(x))
            found = explained(y)
            rng = np.random.default_rng(0)
            count = PERMUTATIONS if found < PLAIN_SHARE else FEW_PERMUTATIONS
            permuted = np.array([explained(y[rng.permutation(len(y))]) for _ in range(count)])
            offsets = _tellable(x, y)
            shifted = {offset: explained(np.roll(y, -offset, axis=0)) for offset in offsets}
        detectable = float(np.quantile(permuted, 0.95) - np.median(permuted))
        details = {
            "p_value": _p_value(found, permuted),
            "detectable": detectable,
            "permuted": float(np.median(permuted)),
            "rows": len(y),
            "offsets": len(offsets),
            "telling": _telling(y, labels is not None),
        }
        evidence = [Evidence(experiment="relation", measure="explained", value=found, details=details)]
        if shifted:
            best = max(shifted, key=lambda offset: shifted[offset])
            moved = {"offset": best, "p_value": _p_value(shifted[best], permuted)}
            evidence.append(Evidence(experiment="relation", measure="explained_shifted", value=shifted[best], details=moved))
        return evidence


def _tellable(x: np.ndarray | None, y: np.ndarray) -> list[int]:
    """The offsets by which labels may be out of step, without those at which a row holds its neighbour's target among its own inputs."""
    if x is None:
        return list(OFFSETS)
    return [] if _slide(x) else [offset for offset in OFFSETS if not _copied(x, np.roll(y, -offset, axis=0))]


def _copied(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether a number of the targets (N, k) stands among the inputs (N, d) as it is, as where a row holds the value before."""
    columns = x[:, x.std(0) > 0][:, :MOST_COLUMNS]
    return bool(columns.size) and float(_correlations(columns, y).max()) > SLID


def _slide(x: np.ndarray) -> bool:
    """Whether rows (N, d) are windows that slide over a series: then the targets of the rows before stand among a row's own inputs, in part.

    Two different columns agree from one row to the next, more than within a row, and in both halves of the rows.
    """
    columns = x[:, x.std(0) > 0][:, :MOST_COLUMNS]
    if columns.shape[1] < 2:
        return False
    halves = np.array_split(columns, 2)
    slid = np.min([_correlations(half[:-1], half[1:]) for half in halves], axis=0)
    alike = np.max([_correlations(half, half) for half in halves], axis=0)
    np.fill_diagonal(slid, 0.0)
    return bool(((slid > SLID) & (alike < SLID)).any())


def _correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(d, k) without their signs; 0 where a column does not vary."""
    with np.errstate(invalid="ignore", divide="ignore"):
        table = np.corrcoef(a, b, rowvar=False)[: a.shape[1], a.shape[1] :]
    return np.asarray(np.abs(np.nan_to_num(table)))


def _telling(y: np.ndarray, classes: bool) -> float:
    """Rows that can tell: all, or at most twice those outside the commonest class, whose rows alone would say nothing."""
    return float(min(len(y), 2 * (len(y) - y.sum(0).max()))) if classes else float(len(y))


def _p_value(value: float, permuted: np.ndarray) -> float:
    """By rank; by the normal tail where few permutations were drawn."""
    if len(permuted) >= PERMUTATIONS:
        return float(1 + (permuted >= value).sum()) / (1 + len(permuted))
    return 0.5 * math.erfc((value - float(permuted.mean())) / (float(permuted.std(ddof=1)) * math.sqrt(2)))


def _missing(reason: str) -> Evidence:
    return Evidence(experiment="relation", measure="not-applicable", value=math.nan, text=reason)


class Smoother(NamedTuple):
    """Predictions of held rows that are linear in the targets of the others."""

    train: np.ndarray
    held: np.ndarray
    ridge: np.ndarray
    near: np.ndarray


def _folds(rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    folds = np.random.default_rng(0).permutation(rows) % FOLDS
    return ((np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(FOLDS))


def _smoothers_of_vectors(x: np.ndarray) -> list[Smoother]:
    """Ridge regression and nearest neighbours of vectors (N, F)."""
    from sklearn.neighbors import NearestNeighbors

    smoothers = []
    for train, held in _folds(len(x)):
        inner = x[train] - x[train].mean(0)
        ridge = (x[held] - x[train].mean(0)) @ np.linalg.solve(inner.T @ inner + 0.1 * len(train) * np.eye(x.shape[1]), inner.T)
        near = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(train)), algorithm="brute").fit(x[train]).kneighbors(x[held])[1]
        smoothers.append(Smoother(train, held, ridge, near))
    return smoothers


def _smoothers_of_tokens(tokens: np.ndarray) -> list[Smoother]:
    """Kernel ridge regression and nearest neighbours of rows of tokens, under what rows have in common. Cost: the cube of the rows."""
    kernel = _likeness(tokens.reshape(len(tokens), -1))
    smoothers = []
    for train, held in _folds(len(tokens)):
        inner = kernel[np.ix_(train, train)]
        level = inner.mean(0)
        inner, outer = inner - level - level[:, None] + level.mean(), kernel[np.ix_(held, train)] - level
        outer -= outer.mean(1, keepdims=True)
        ridge = np.linalg.solve(inner + 0.1 * np.trace(inner) / len(train) * np.eye(len(train)), outer.T).T
        near = np.argsort(-kernel[np.ix_(held, train)], axis=1, kind="stable")[:, :NEIGHBOURS]
        smoothers.append(Smoother(train, held, ridge, near))
    return smoothers


def _likeness(tokens: np.ndarray) -> np.ndarray:
    """(N, N): mean of three kernels on rows (N, L): tokens in common, tokens in common at the same place, pairs of neighbours in common."""
    counts = _counts(tokens, int(tokens.max()) + 1)
    pairs = _counts((tokens[:, :-1] * 31 + tokens[:, 1:]) % PAIR_BINS, PAIR_BINS)
    at_place = np.zeros((len(tokens), len(tokens)))
    for column in tokens.T:
        at_place += column[:, None] == column
    kernels = [counts @ counts.T, pairs @ pairs.T, at_place]
    return np.asarray(sum(_of_unit_spread(kernel) for kernel in kernels))


def _counts(tokens: np.ndarray, vocabulary: int) -> np.ndarray:
    """(N, V): how often each row has each token."""
    counts = np.zeros((len(tokens), vocabulary))
    np.add.at(counts, (np.arange(len(tokens))[:, None], tokens), 1.0)
    return counts


def _of_unit_spread(kernel: np.ndarray) -> np.ndarray:
    """The kernel over the mean squared distance from the mean row that it gives, so that none outweighs the others."""
    spread = float(np.trace(kernel) / len(kernel) - kernel.mean())
    return kernel / spread if spread > 0 else kernel * 0.0


def _explained(smoothers: Sequence[Smoother]) -> Callable[[np.ndarray], float]:
    """The share of the targets' variance that is explained out of fold by the better of ridge regression and nearest neighbours."""

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
