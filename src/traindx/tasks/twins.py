"""Copies of training rows among other rows: equal rows, and rows that lie far nearer to one row than rows of this set lie to each other.

Rows of few discrete columns are equal by chance. So a twin counts as a copy only where its values, were the columns independent, would
hardly have met again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from traindx.tasks.features import Features, one_thread

# Equal rows of which independent columns would give this many more, or above, are equal by chance: in 21 untouched sets, tables of few
# discrete columns have up to 83 % of equal rows, of which this leaves none to 19 %.
CHANCE = 0.01
# A row is a near copy when its nearest row is this many times nearer than the tenth nearest; untouched sets have at most 13 % of those.
NEAR_RATIO, NEIGHBOURS = 0.1, 10
# Rows looked up, training rows they are looked up in (nearness only), and training rows that the columns' frequencies are counted in.
LOOKED_UP, SEARCHED, COUNTED = 1000, 12_000, 3000


@dataclass(frozen=True)
class Twins:
    """For every row that was looked up: whether it is a copy of a training row, and of which (-1 for none)."""

    copied: np.ndarray
    twin: np.ndarray


def find_twins(train: Tensor, rows: Tensor, itself: np.ndarray | None = None) -> Twins:
    """Copies of training rows among ``rows``; ``itself`` gives each row's own place in ``train``, which does not count."""
    twin = _equal(train, rows, itself)
    unlikely = np.zeros(len(rows), dtype=bool)
    equal = np.flatnonzero(twin >= 0)
    if len(equal):
        unlikely[equal] = _expected(train, rows[torch.from_numpy(equal)]) < CHANCE
    near = _near(train, rows, itself)
    copied = unlikely | ((near >= 0) & (twin < 0))
    return Twins(copied, np.where(unlikely, twin, np.where(copied, near, -1)))


def _keys(rows: Tensor) -> list[bytes]:
    flat = np.ascontiguousarray(rows.reshape(len(rows), -1).cpu().numpy())
    return [row.tobytes() for row in flat]


def _equal(train: Tensor, rows: Tensor, itself: np.ndarray | None) -> np.ndarray:
    places: dict[bytes, list[int]] = {}
    for i, key in enumerate(_keys(train)):
        places.setdefault(key, []).append(i)
    own = itself if itself is not None else np.full(len(rows), -1)
    return np.array(
        [next((i for i in places.get(key, ()) if i != me), -1) for key, me in zip(_keys(rows), own, strict=True)], dtype=np.int64
    )


def _expected(train: Tensor, rows: Tensor) -> np.ndarray:
    """How many training rows would equal each of these, were the columns independent."""
    sample = train[:: max(1, len(train) // COUNTED)].reshape(-1, train[0].numel()).double().cpu().numpy()
    wanted = rows.reshape(len(rows), -1).double().cpu().numpy()
    logarithm = np.zeros(len(wanted))
    for j in range(sample.shape[1]):
        values, counts = np.unique(sample[:, j], return_counts=True)
        place = np.searchsorted(values, wanted[:, j]).clip(max=len(values) - 1)
        logarithm += np.log(np.where(values[place] == wanted[:, j], counts[place], 0.5) / len(sample))
    return np.asarray(len(train) * np.exp(logarithm))


def _near(train: Tensor, rows: Tensor, itself: np.ndarray | None) -> np.ndarray:
    """The training row of which each row is a near copy, or -1."""
    from sklearn.neighbors import NearestNeighbors

    none = np.full(len(rows), -1, dtype=np.int64)
    if len(train) < 5 * NEIGHBOURS or not train.is_floating_point():
        return none
    places = np.arange(len(train))
    if len(train) > SEARCHED:
        places = np.sort(np.random.default_rng(0).permutation(len(train))[:SEARCHED])
    features = Features(train[torch.from_numpy(places)])
    mine, theirs = features(train[torch.from_numpy(places)]), features(rows)
    with one_thread():
        found = NearestNeighbors(n_neighbors=NEIGHBOURS + (itself is not None), algorithm="brute").fit(mine)
        distances, neighbours = found.kneighbors(theirs)
    if itself is not None:
        own = places[neighbours] == itself[:, None]
        own[~own.any(1), -1] = True
        distances, neighbours = (a[~own].reshape(len(rows), -1) for a in (distances, neighbours))
    near = distances[:, 0] < NEAR_RATIO * distances[:, -1]
    return np.where(near, places[neighbours[:, 0]], none)


def copied_from(train: Tensor, rows: Tensor) -> Tensor:
    """Mask of the training rows that are equal to, or near copies of, any of these rows."""
    keys = set(_keys(rows))
    mask = torch.tensor([key in keys for key in _keys(train)], dtype=torch.bool)
    near = _near(train, rows, None)
    mask[torch.from_numpy(near[near >= 0])] = True
    return mask
