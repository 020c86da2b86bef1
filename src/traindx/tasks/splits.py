"""How rows are divided: stratified for classes, by groups or by time when these are given.

The validation set that traindx splits off is fold 0 of K; another fold is another division of the same rows, so repeated seeds can also
repeat the division (LECTURE claim 9: one split of a small set says little).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

FOLDS = 5
_SPLIT_SEED = 20


def fold_indices(
    rows: int, fold: int = 0, labels: Tensor | None = None, groups: np.ndarray | None = None, time: np.ndarray | None = None
) -> tuple[Tensor, Tensor]:
    """(training index, validation index) of one of FOLDS folds, both sorted and without overlap.

    With ``time`` the validation rows are the latest fifth whatever the fold; with ``groups`` no group is on both sides; with ``labels``
    every class is spread evenly. Classes with fewer rows than folds are spread as far as they go.
    """
    if time is not None:
        order = np.argsort(time, kind="stable")
        held_out = order[-max(1, rows // FOLDS) :]
    elif groups is not None:
        held_out = np.flatnonzero(_group_folds(groups) == fold % FOLDS)
    else:
        held_out = np.flatnonzero(_even_folds(rows, labels) == fold % FOLDS)
    mask = np.zeros(rows, dtype=bool)
    mask[held_out] = True
    return torch.from_numpy(np.flatnonzero(~mask)), torch.from_numpy(np.flatnonzero(mask))


def _even_folds(rows: int, labels: Tensor | None) -> np.ndarray:
    """The fold of every row: rows shuffled, then dealt out class by class."""
    shuffled = np.random.default_rng(_SPLIT_SEED).permutation(rows)
    if labels is not None:
        shuffled = shuffled[np.argsort(labels.cpu().numpy()[shuffled], kind="stable")]
    folds = np.empty(rows, dtype=np.int64)
    folds[shuffled] = np.arange(rows) % FOLDS
    return folds


def _group_folds(groups: np.ndarray) -> np.ndarray:
    """Whole groups, the largest first, each into the fold that is emptiest so far."""
    names, member, counts = np.unique(groups, return_inverse=True, return_counts=True)
    fold_of, filled = np.empty(len(names), dtype=np.int64), np.zeros(FOLDS)
    for group in np.argsort(-counts, kind="stable"):
        fold_of[group] = int(np.argmin(filled))
        filled[fold_of[group]] += counts[group]
    return np.asarray(fold_of[member])
