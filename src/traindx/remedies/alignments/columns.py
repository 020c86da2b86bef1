"""The columns of inputs: what is measured under one name, wherever it stands in a row."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from traindx.remedies.alignments.distance import thinned

# Rows that columns are learned from, and values of each column.
MAX_ROWS, MAX_VALUES = 4000, 50_000
# More columns are not compared with one another.
MAX_COLUMNS = 256
# Places at which the distributions of two columns are compared.
LEVELS = 101
# What turning a column must gain, in squared deviations or correlations, and once more for each of its pairs, over the rows: a correlation
# of independent columns is about one over the root of the rows, and they may all be off alike.
LEAST_GAIN, GAIN_A_PAIR = 0.05, 16.0


def columns(inputs: Tensor, axis: int = 1) -> Tensor:
    """(C, n) float64: the values along this axis of (rows, ...) inputs, those of all other axes together. What is not finite is zero.

    Of more than MAX_VALUES some are drawn, at the same places of every column and by the same numbers in every call.
    """
    sample = thinned(inputs, MAX_ROWS)
    moved = sample.movedim(axis, 0) if sample.ndim > 1 else sample[None]
    count = math.prod(moved.shape[1:])
    if count > MAX_VALUES:
        drawn = torch.randint(count, (MAX_VALUES,), generator=torch.Generator().manual_seed(0)).to(moved.device)
        moved = torch.stack([column.take(drawn) for column in moved])
    return moved.flatten(1).cpu().double().nan_to_num(0.0, 0.0, 0.0)


def quantiles(values: Tensor) -> Tensor:
    """(C, LEVELS) from the least to the largest value of every column of (C, n) values."""
    ordered = values.sort(1).values
    return ordered[:, torch.linspace(0, ordered.shape[1] - 1, LEVELS).round().long()]


def standardized(values: Tensor) -> Tensor:
    """Columns (C, n) of mean zero and deviation one; a constant column is zero."""
    return (values - values.mean(1, keepdim=True)) / values.std(1, correction=0, keepdim=True).clamp_min(1e-9)


def ranks(values: Tensor) -> Tensor:
    """Columns (C, n) with every value replaced by its place in the order of the column's; equal values share the middle of theirs."""
    ordered = values.sort(1).values.contiguous()
    values = values.contiguous()
    return (torch.searchsorted(ordered, values) + torch.searchsorted(ordered, values, right=True)).double() / 2


def signs(mine: Tensor, theirs: Tensor) -> Tensor:
    """(C,) of 1 and -1: which columns of the other side to turn, for distributions and correlations to agree best. From (C, n) values.

    One column after the other is turned while that helps clearly; so the fewest are turned that explain the difference. Cost: O(C²) a turn.
    """
    mine, theirs = standardized(mine), standardized(theirs)
    straight, turned = ((quantiles(mine) - quantiles(side)).abs().mean(1) ** 2 for side in (theirs, -theirs))
    (here, there), sign = (side @ side.T / side.shape[1] for side in (mine, theirs)), torch.ones(len(mine), dtype=torch.float64)
    least = LEAST_GAIN + GAIN_A_PAIR * (len(sign) - 1) / min(mine.shape[1], theirs.shape[1])
    for _ in range(len(sign)):
        # With c and s c' the correlations of both sides, turning a column takes 4 s c c' off the squared difference of each of its pairs.
        pairs = (sign[:, None] * sign * here * there).fill_diagonal_(0.0).sum(1)
        gain = sign * (straight - turned) - 4 * pairs
        best = int(gain.argmax())
        if float(gain[best]) < least:
            break
        sign[best] = -sign[best]
    return sign
