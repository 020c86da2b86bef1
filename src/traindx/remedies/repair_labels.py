"""Labels put right: numbered from 0, or mapped back on the validation rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task


@dataclass(frozen=True)
class Numbering:
    """Labels to their place among ``values``; one label, ``ignored``, stays; picklable."""

    values: Tensor
    ignored: int

    def __call__(self, targets: Tensor) -> Tensor:
        """Targets of shape (n, ...)."""
        places = torch.searchsorted(self.values.to(targets.device), targets.contiguous()).clamp(max=len(self.values) - 1)
        return torch.where(targets == self.ignored, targets, places.to(targets.dtype))


@dataclass(frozen=True)
class RepairLabels(Remedy):
    """Number the labels of every split from 0; or undo on the validation rows a shift, a recoding or a change of units.

    ``order`` gives the true class of label 0, 1, ... as "2,0,1"; ``columns``, of rows of several numbers or labels, in which column the first, second, ...
    is found; else the true target is (target - offset) / scale.
    """

    id: ClassVar[str] = "repair-labels"
    size: ClassVar[float] = 1.2
    split: str = "all"
    order: str = ""
    columns: str = ""
    scale: float = 1.0
    offset: float = 0.0

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        train, validation = task.train.targets, task.validation.targets
        if train is None or validation is None:
            raise NotApplicable("targets are not arrays")
        if self.split == "all":
            ignored = int(getattr(task.loss, "ignore_index", -100))
            values = torch.cat([train.reshape(-1).cpu(), validation.reshape(-1).cpu()]).unique()
            return task.changed(self.ref, map_targets=Numbering(values[values != ignored].contiguous(), ignored)), recipe
        if not task.validation_given:
            raise NotApplicable("the validation rows were split off the training rows: they have the same labels")
        return task.changed(self.ref, validation=task.validation.map_targets(self.undo)), recipe

    def undo(self, targets: Tensor) -> Tensor:
        """The true targets of these, of the same shape."""
        if self.columns:
            order = [int(c) for c in self.columns.split(",")]
            return targets.reshape(len(targets), -1)[:, order].reshape(targets.shape)
        if self.order:
            true = torch.tensor([int(c) for c in self.order.split(",")], device=targets.device)
            return true[targets.long().clamp(0, len(true) - 1)].to(targets.dtype)
        return ((targets - self.offset) / self.scale).to(targets.dtype)
