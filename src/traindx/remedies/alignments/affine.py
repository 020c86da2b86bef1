"""Maps a x + b: other units, another scaler, a turned sign."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from traindx.remedies.alignments.columns import LEVELS, MAX_COLUMNS, columns, quantiles, signs
from traindx.remedies.alignments.distance import DISTANCE_LEFT, LEAST_DISTANCE, MAX_ROWS, energy_distance, thinned
from traindx.tasks.features import Features

# Columns that are turned on trial, where there are no more: each costs a distance of rows.
MOST_ON_TRIAL = 16


@dataclass(frozen=True)
class Affine:
    """x -> (x - centre) * scale + target, of this type; picklable."""

    centre: Tensor
    scale: Tensor
    target: Tensor
    dtype: torch.dtype

    def __call__(self, inputs: Tensor) -> Tensor:
        """Inputs of shape (n, ...)."""
        centre, scale, target = (t.to(inputs.device) for t in (self.centre, self.scale, self.target))
        return ((inputs.double() - centre) * scale + target).to(self.dtype)


def affine(train: Tensor, test: Tensor, kind: str, axis: int = 1) -> Affine:
    """The map to the mean and deviation of the training inputs, their range, or their median and quartiles. What does not vary is only moved.

    One map for all values (``global``, ``range``), which may turn the sign (``inverted``, ``inverted-range``), or one a column along the
    axis (``moments``, ``quartiles``).
    """
    column = axis % train.ndim if kind in ("moments", "quartiles") and train.ndim > 1 else None
    (centre, spread), (target, wanted) = (_place(kind, rows, column) for rows in (test, train))
    varying = (spread > 1e-9) & (wanted > 1e-9)
    ratio = torch.where(varying, wanted / spread.clamp_min(1e-30), torch.ones_like(spread))
    return Affine(centre, -ratio if kind.startswith("inverted") else ratio, target, train.dtype)


def turned(train: Tensor, test: Tensor, axis: int = 1, features: Features | None = None) -> Affine | None:
    """The map of every column to its mean and deviation in the training inputs, with the sign of some columns turned; None where of none.

    Which ones, distributions and correlations of columns tell. Of few columns one after the other is also turned on trial: what stands
    elsewhere in the same column, as the past of a signal, may tell it.
    """
    if train.ndim < 2 or train.shape[axis] > MAX_COLUMNS:
        return None
    straight, sign = affine(train, test, "moments", axis), signs(columns(train, axis), columns(test, axis))
    if len(sign) <= MOST_ON_TRIAL:
        sign = _turned_on_trial(train, test, straight, sign, features or Features(train))
    return None if bool((sign > 0).all()) else _with_signs(straight, sign)


def _turned_on_trial(train: Tensor, test: Tensor, straight: Affine, sign: Tensor, features: Features) -> Tensor:
    """Further columns turned, each where that takes away much of the distance between rows."""
    mine, some = features(thinned(train, MAX_ROWS)), thinned(test, MAX_ROWS)
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
    return replace(straight, scale=straight.scale * sign.reshape(straight.scale.shape))


def _place(kind: str, rows: Tensor, column: int | None) -> tuple[Tensor, Tensor]:
    """(centre, spread) over all dimensions but that of the columns, kept for broadcasting."""
    if kind == "quartiles":
        shape = [-1 if d == column else 1 for d in range(rows.ndim)]
        low, middle, high = quantiles(columns(rows, column or 0))[:, [LEVELS // 4, LEVELS // 2, -1 - LEVELS // 4]].T
        return middle.reshape(shape), (high - low).reshape(shape)
    values, dims = rows.cpu().nan_to_num(0.0, 0.0, 0.0), [d for d in range(rows.ndim) if d != column]
    if kind.endswith("range"):
        low, high = (extreme.double() for extreme in torch.aminmax(values.flatten()))
        return (low + high) / 2, high - low
    real = values.to(torch.promote_types(values.dtype, torch.float32))
    return values.mean(dims, keepdim=True, dtype=torch.float64), real.std(dims, correction=0, keepdim=True).double()
