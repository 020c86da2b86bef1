"""Training rows drawn so that every class comes as often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task


@dataclass(frozen=True)
class BalanceClasses(Remedy):
    """Draw the training rows of every class equally often, with replacement."""

    id: ClassVar[str] = "balance-classes"
    size: ClassVar[float] = 1.4

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task with row weights."""
        labels = task.labels
        if labels is None:
            raise NotApplicable("rows have no single class label")
        kept = labels.clamp_min(0)
        counts = torch.bincount(kept).double().clamp_min(1)
        weights = torch.where(labels >= 0, 1 / counts[kept], torch.zeros(len(labels), dtype=torch.float64))
        return task.changed(self.ref, weights=weights * len(labels) / weights.sum()), recipe
