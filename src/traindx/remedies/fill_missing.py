"""Missing values filled in, rows without a target left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Rows, Task


@dataclass(frozen=True)
class Filling:
    """NaN and infinities become the training mean of their feature; picklable."""

    mean: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        """Inputs of shape (n, ...)."""
        return torch.where(torch.isfinite(inputs), inputs, self.mean.to(inputs.device, inputs.dtype))


def filling(inputs: Tensor) -> Filling:
    """By feature for rows of features (N, F), by channel for images and signals (N, C, ...)."""
    dims = [0, *range(2, inputs.ndim)]
    finite = torch.isfinite(inputs)
    total = torch.where(finite, inputs, torch.zeros_like(inputs)).double().sum(dims, keepdim=True)
    return Filling((total / finite.sum(dims, keepdim=True).clamp_min(1)).float())


@dataclass(frozen=True)
class FillMissing(Remedy):
    """Put the training mean in the place of missing inputs in every split, and leave out training and validation rows without a target."""

    id: ClassVar[str] = "fill-missing"
    size: ClassVar[float] = 1.5

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        inputs = task.train.inputs
        if inputs is None or not inputs.is_floating_point():
            raise NotApplicable("inputs are not arrays of real numbers")
        train, validation = _with_targets(task.train), _with_targets(task.validation)
        if train is None and validation is None:
            return task.changed(self.ref, map_inputs=filling(inputs)), recipe
        kept = task.changed(self.ref, train=train, validation=validation)
        return kept.changed(self.ref, map_inputs=filling(inputs)), recipe


def _with_targets(rows: Rows) -> Rows | None:
    """The rows with finite targets; None where all are."""
    if rows.targets is None:
        return None
    finite = torch.isfinite(rows.targets.reshape(len(rows), -1)).all(1)
    if bool(finite.all()):
        return None
    if not bool(finite.any()):
        raise NotApplicable("no row has a finite target")
    return rows.subset(finite.nonzero().flatten().cpu())
