"""Test inputs put through the pipeline of the training inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.remedies.match_test import MISMATCH
from traindx.tasks import Task

# Maps a x + b that bring the test inputs to the training inputs' mean and deviation, to their range, or to their median and quartiles: one
# for all features, one for all that turns the sign, one a feature (a channel, for images and signals).
ALIGNMENTS = ("global", "range", "inverted", "inverted-range", "moments", "quartiles")
# Rows from which medians and quartiles are taken.
SORTED_ROWS = 4000


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


def alignment(kind: str, train: Tensor | None, test: Tensor | None) -> Callable[[Tensor], Tensor]:
    """The map of this kind, learned on the inputs alone. What does not vary is only moved."""
    assert train is not None and test is not None, "array inputs"
    dims = [0, *range(2, train.ndim)] if kind in ("moments", "quartiles") else list(range(train.ndim))
    (centre, spread), (target, wanted) = (_place(kind, rows, dims) for rows in (test, train))
    varying = (spread > 1e-9) & (wanted > 1e-9)
    ratio = torch.where(varying, wanted / spread.clamp_min(1e-30), torch.ones_like(spread))
    return Affine(centre, -ratio if kind.startswith("inverted") else ratio, target)


def _place(kind: str, rows: Tensor, dims: list[int]) -> tuple[Tensor, Tensor]:
    """(centre, spread) over these dimensions, kept for broadcasting."""
    values = rows.cpu().double().nan_to_num(0.0, 0.0, 0.0)
    if kind.endswith("range"):
        low, high = values.amin(dims, keepdim=True), values.amax(dims, keepdim=True)
        return (low + high) / 2, high - low
    if kind != "quartiles":
        return values.mean(dims, keepdim=True), values.std(dims, correction=0, keepdim=True)
    columns = values[:: max(1, len(values) // SORTED_ROWS)]
    shape = [1, columns.shape[1], *[1] * (columns.ndim - 2)] if columns.ndim > 1 else [1]
    flat = columns.transpose(0, 1).reshape(shape[1], -1) if columns.ndim > 1 else columns.reshape(1, -1)
    ordered = flat.sort(1).values
    low, middle, high = (ordered[:, int(q * (ordered.shape[1] - 1))] for q in (0.25, 0.5, 0.75))
    return middle.reshape(shape), (high - low).reshape(shape)


@dataclass(frozen=True)
class AlignTestInputs(Remedy):
    """Map the test inputs to the training inputs' place and spread. Opens the test inputs, not the labels."""

    id: ClassVar[str] = "align-test-inputs"
    size: ClassVar[float] = 1.2
    kind: str = "moments"

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task whose test set is seen through the map."""
        train, test = task.train.inputs, task.test.inputs(MISMATCH) if task.test else None
        if train is None or test is None or not train.is_floating_point() or train.shape[1:] != test.shape[1:]:
            raise NotApplicable("needs real array inputs and a test set of the same shape")
        return task.changed(self.ref, map_test=alignment(self.kind, train, test)), recipe
