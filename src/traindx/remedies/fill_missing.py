"""Missing values filled in, rows without a target left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy, outputs_of_a_few
from traindx.tasks import Kind, Rows, Task

# What torch's losses take for a row that is in no class.
NO_CLASS = -100


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
    """Put the training mean in the place of missing inputs in every split, and leave out training and validation rows without a target.

    A missing class makes floats of all: those that are left are integers again, where the loss takes no others.
    """

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
        kept = task.changed(self.ref, train=train, validation=validation).changed(self.ref, map_inputs=filling(inputs))
        return (kept.changed(self.ref, map_targets=class_numbers) if _wants_class_numbers(kept) else kept), recipe


def class_numbers(targets: Tensor) -> Tensor:
    """Integers: labels are often floats only because one of them was NaN."""
    return targets.nan_to_num(NO_CLASS).long()


def _wants_class_numbers(task: Task) -> bool:
    """Whether the loss refuses whole numbers that are floats, and takes them as integers."""
    targets = task.train.targets
    if (
        task.kind is not Kind.CLASSIFICATION
        or targets is None
        or not targets.is_floating_point()
        or not torch.equal(targets, targets.round())
    ):
        return False
    outputs = outputs_of_a_few(task)
    few = targets[: len(outputs)]
    return not _takes(task, outputs, few) and _takes(task, outputs, few.long())


def _takes(task: Task, outputs: Tensor, targets: Tensor) -> bool:
    try:
        task.loss(outputs, targets)
    except Exception:  # the user's own loss may refuse in its own way
        return False
    return True


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
