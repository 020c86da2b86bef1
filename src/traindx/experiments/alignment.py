"""Maps after which rows of another set are like the training rows: which of the families of `alignments` brings them nearest.

Learned and judged on inputs alone: a classifier tries to tell the mapped rows from the training rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from traindx.experiments.domain import domain_auc
from traindx.remedies.alignments import FLEXIBLE, Map, proposals
from traindx.remedies.alignments.distance import energy_distance
from traindx.tasks.features import Features
from traindx.training import evaluated_index

MAX_ROWS = 1500
# An alignment is looked for where a classifier tells the sets apart by more than this area under the curve.
FAR_APART = 0.6
# Noise on both sides while alignments are compared, in standard deviations of each feature: three times the sampling error of a mean.
BLUR = 0.1
# A flexible map is tried where the area after it is smaller by more than this: the error of an area that some hundred rows of each side give.
AS_GOOD = 0.02
# So many plain maps are judged by a classifier, which takes about a second: those that leave the least distance between rows.
MOST_MAPS = 6


@dataclass(frozen=True)
class Alignment:
    """A map of the other set's inputs and its family; ``measure`` is "aligned" or "flexibly_aligned".

    ``auc`` is the area under the curve of telling the sets apart after it, with its standard error.
    """

    measure: str
    kind: str
    function: Map
    auc: float
    error: float


def alignments(train: Tensor, other: Tensor) -> list[Alignment]:
    """The best plain map of (n, ...) inputs to the training inputs (N, ...), and the best flexible one where that makes the sets more alike.

    Cost: about a second for each of MOST_MAPS maps.
    """
    if train.shape[1:] != other.shape[1:]:
        return []
    features = Features(train)
    maps = proposals(train, other, features)
    aucs = _aucs_after(maps, features, train, other)

    def nearest(measure: str, kinds: Sequence[str]) -> list[Alignment]:
        best = min(kinds, key=lambda kind: aucs[kind][0], default="")
        return [Alignment(measure, best, maps[best], *aucs[best])] if best else []

    plain = nearest("aligned", [kind for kind in aucs if kind not in FLEXIBLE])
    least = plain[0].auc if plain else math.inf
    return plain + nearest("flexibly_aligned", [kind for kind in aucs if kind in FLEXIBLE and aucs[kind][0] < least - AS_GOOD])


def _aucs_after(maps: dict[str, Map], features: Features, train: Tensor, other: Tensor) -> dict[str, tuple[float, float]]:
    """The domain classifier's area under the curve, and its error, after flexible maps and the nearest of the others."""
    clear, sample = features(train[evaluated_index(len(train), MAX_ROWS)]), other[evaluated_index(len(other), MAX_ROWS)]
    mine, scale = _blurred(clear, clear.std(0), 0), clear.std(0)
    mapped = {kind: inputs for kind, function in maps.items() if bool(torch.isfinite(inputs := function(sample)).all())}
    theirs = {kind: _blurred(features(inputs), scale, 1) for kind, inputs in mapped.items()}
    nearest = sorted((kind for kind in theirs if kind not in FLEXIBLE), key=lambda kind: energy_distance(mine, theirs[kind]))[:MOST_MAPS]
    return {kind: domain_auc(mine, theirs[kind]) for kind in theirs if kind in FLEXIBLE or kind in nearest}


def _blurred(features: np.ndarray, scale: np.ndarray, seed: int) -> np.ndarray:
    """Features with a little noise: a map's rounding, or its sampling error on a grid of values, must not tell the sets apart."""
    return features + BLUR * scale * np.random.default_rng(seed).normal(size=features.shape)
