"""Maps a x + b: other units, another scaler, a turned sign."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from traindx.remedies.alignments.columns import MAX_COLUMNS, columns, signs
from traindx.remedies.alignments.rearrangement import DISTANCE_LEFT, LEAST_DISTANCE, MAX_ROWS, energy_distance
from traindx.tasks.features import Features

# Rows from which medians and quartiles are taken.
SORTED_ROWS = 4000
# Columns that are turned on trial, where there are no more: each costs a distance of rows.
MOST_ON_TRIAL = 16


@dataclass(frozen=True)
class Affine:
    """x -> (x - centre) * scale + target; picklable."""

    centre: Tensor
    scale: Tensor
    target: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        """Inputs of shape (n, ...)."""
        centre, scale, target = (t.to(inputs.device) for t in (self.centre, self.scale, self.target))
        return ((inputs.double() - centre) * scale + target).to(inputs.dtype)


def affine(train: Tensor, test: Tensor, kind: str, axis: int = 1) -> Affine:
    """The map to the mean and deviation of the training inputs, their range, or their median and quartiles. What does not vary is only moved.

    One map for all values (``global``, ``range``), which may turn the sign (``inverted``, ``inverted-range``), or one a column along the
    axis (``moments``, ``quartiles``).
    """
    column = axis % train.ndim if kind in ("moments", "quartiles") and train.ndim > 1 else None
    dims = [d for d in range(train.ndim) if d != column]
    (centre, spread), (target, wanted) = (_place(kind, rows, dims) for rows in (test, train))
    varying = (spread > 1e-9) & (wanted > 1e-9)
    ratio = torch.where(varying, wanted / spread.clamp_min(1e-30), torch.ones_like(spread))
    return Affine(centre, -ratio if kind.startswith("inverted") else ratio, target)


def turned(train: Tensor, test: Tensor, axis: int = 1) -> Affine | None:
    """The map of every column to its mean and deviation in the training inputs, with the sign of some columns turned; None where of none.

    Which ones, distributions and correlations of columns tell. Of few columns one after the other is also turned on trial: what stands
    elsewhere in the same column, as the past of a signal, may tell it.
    """
    if train.ndim < 2 or train.shape[axis] > MAX_COLUMNS:
        return None
    straight, sign = affine(train, test, "moments", axis), signs(columns(train, axis), columns(test, axis))
    if len(sign) <= MOST_ON_TRIAL:
        sign = _turned_on_trial(train, test, straight, sign)
    return None if bool((sign > 0).all()) else _with_signs(straight, sign)


def _turned_on_trial(train: Tensor, test: Tensor, straight: Affine, sign: Tensor) -> Tensor:
    """Further columns turned, each where that takes away much of the distance between rows."""
    features, some = Features(train), test[:: max(1, -(-len(test) // MAX_ROWS))]
    mine = features(train[:: max(1, -(-len(train) // MAX_ROWS))])
    distance = energy_distance(mine, features(_with_signs(straight, sign)(some)))
    while distance > LEAST_DISTANCE:
        trials = [torch.where(torch.arange(len(sign)) == j, -sign, sign) for j in range(len(sign))]
        distances = [energy_distance(mine, features(_with_signs(straight, trial)(some))) for trial in trials]
        best = min(range(len(trials)), key=distances.__getitem__)
        if distances[best] > DISTANCE_LEFT * distance:
            break
        sign, distance = trials[best], distances[best]
    return sign


def _with_signs(straight: Affine, sign: Tensor) -> Affine:
    return Affine(straight.centre, straight.scale * sign.reshape(straight.scale.shape), straight.target)


def _place(kind: str, rows: Tensor, dims: list[int]) -> tuple[Tensor, Tensor]:
    """(centre, spread) over these dimensions, kept for broadcasting."""
    values = rows.cpu().double().nan_to_num(0.0, 0.0, 0.0)
    if kind.endswith("range"):
        low, high = values.amin(dims, keepdim=True), values.amax(dims, keepdim=True)
        return (low + high) / 2, high - low
    if kind != "quartiles":
        return values.mean(dims, keepdim=True), values.std(dims, correction=0, keepdim=True)
    sample = values[:: max(1, len(values) // SORTED_ROWS)]
    shape = [1, sample.shape[1], *[1] * (sample.ndim - 2)] if sample.ndim > 1 else [1]
    flat = sample.transpose(0, 1).reshape(shape[1], -1) if sample.ndim > 1 else sample.reshape(1, -1)
    ordered = flat.sort(1).values
    low, middle, high = (ordered[:, int(q * (ordered.shape[1] - 1))] for q in (0.25, 0.5, 0.75))
    return middle.reshape(shape), (high - low).reshape(shape)
