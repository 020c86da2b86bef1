"""Columns in another order: latitude first, blue before red."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from traindx.remedies.alignments.columns import MAX_COLUMNS, columns, quantiles

# A column moves only where that makes it more alike by so many deviations (mean distance of quantiles): above the noise of two draws.
LEAST_GAIN = 0.1
# All columns together must end at this share of their distance, or nearer.
DISTANCE_LEFT = 0.5


@dataclass(frozen=True)
class Reordered:
    """The columns in this order along an axis; picklable."""

    order: Tensor
    axis: int

    def __call__(self, inputs: Tensor) -> Tensor:
        """Inputs of shape (n, ...)."""
        return inputs.index_select(self.axis, self.order.to(inputs.device))


def reordering(train: Tensor, test: Tensor, axis: int = 1) -> Reordered | None:
    """The order that brings every column under the name whose distribution it has, where that is clearly better than the one there is.

    Cost: O(C³) in columns, at most MAX_COLUMNS.
    """
    from scipy.optimize import linear_sum_assignment

    if train.ndim < 2 or not 1 < train.shape[axis] <= MAX_COLUMNS:
        return None
    mine, theirs = (columns(side, axis) for side in (train, test))
    distance = _distances(quantiles(mine), quantiles(theirs), mine.std(1, correction=0))
    stays = torch.eye(len(distance), dtype=torch.float64)
    _, order = linear_sum_assignment((distance + LEAST_GAIN * (1 - stays)).numpy())
    chosen = torch.from_numpy(order).long()
    left, before = float(distance[torch.arange(len(chosen)), chosen].sum()), float(distance.diagonal().sum())
    moves = bool((chosen != torch.arange(len(chosen))).any())
    return Reordered(chosen, axis) if moves and left <= DISTANCE_LEFT * before else None


def _distances(mine: Tensor, theirs: Tensor, spread: Tensor) -> Tensor:
    """(C, C) mean distances of quantiles (C, L) in the deviations of one side; logarithmic above one, for units may differ by thousands."""
    least = 1e-6 * spread.max().clamp_min(1e-9)
    return torch.stack([(row - theirs).abs().mean(1) / s.clamp_min(least) for row, s in zip(mine, spread, strict=True)]).log1p()
