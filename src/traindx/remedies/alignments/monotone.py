"""A monotone map of every column: logarithms for what they are taken of, brightness for magnitude."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from traindx.remedies.alignments.columns import LEVELS, MAX_COLUMNS, columns, quantiles, ranks, signs

# Values that are mapped at once, which bounds memory.
MAX_AT_ONCE = 2**20


@dataclass(frozen=True)
class Monotone:
    """Every column along an axis by straight lines between places and targets, both (C, levels), to values of this type; picklable."""

    places: Tensor
    targets: Tensor
    axis: int
    dtype: torch.dtype

    def __call__(self, inputs: Tensor) -> Tensor:
        """Inputs of shape (n, ...). Beyond the outermost places values stay at the outermost targets."""
        rows = max(1, MAX_AT_ONCE // max(1, math.prod(inputs.shape[1:])))
        return torch.cat([self._mapped(part) for part in inputs.split(rows)])

    def _mapped(self, inputs: Tensor) -> Tensor:
        places, targets = self.places.to(inputs.device), self.targets.to(inputs.device)
        moved = inputs.double().movedim(self.axis, 0)
        values = moved.flatten(1).contiguous()
        after = torch.searchsorted(places, values).clamp(1, places.shape[1] - 1)
        (low, left), (high, right) = ((places.gather(1, i), targets.gather(1, i)) for i in (after - 1, after))
        share = ((values - low) / (high - low).clamp_min(1e-12)).clamp(0.0, 1.0)
        return (left + share * (right - left)).reshape(moved.shape).movedim(0, self.axis).to(self.dtype)


def monotone(train: Tensor, test: Tensor, axis: int = 1) -> Monotone | None:
    """The map of each column's quantiles to those of the training inputs; falling where the order of rows in other columns says so.

    It makes the columns of any two sets alike: what it proves is decided by how columns hang together, and by the loss.
    """
    if train.ndim < 2 or train.shape[axis] > MAX_COLUMNS:
        return None
    mine, theirs = columns(train, axis), columns(test, axis)
    falls = signs(ranks(mine), ranks(theirs)) < 0
    places, targets = quantiles(theirs), quantiles(mine)
    targets = torch.where(falls[:, None], targets.flip(1), targets)
    return Monotone(places, targets.gather(1, _middles(places)), axis, train.dtype)


def _middles(places: Tensor) -> Tensor:
    """For every level the middle one of those at the same place: a value that many rows share goes where the middle of these rows goes."""
    first, last = torch.searchsorted(places, places), torch.searchsorted(places, places, right=True) - 1
    return ((first + last) // 2).clamp(0, LEVELS - 1)
