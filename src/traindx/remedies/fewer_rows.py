"""Training on a share of the rows: no cure, but the intervention that shows what more data would do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task
from traindx.training import total_steps

LEAST_ROWS = 10


@dataclass(frozen=True)
class FewerRows(Remedy):
    """Train on ``share`` of the rows, drawn evenly from all classes, for as many updates: with equal epochs, fewer rows would also be
    a shorter training.
    """

    id: ClassVar[str] = "fewer-rows"
    size: ClassVar[float] = 5.0
    share: float = 0.5

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task with fewer rows."""
        rows = len(task.train)
        if rows * self.share < LEAST_ROWS:
            raise NotApplicable(f"{rows} rows are too few to be halved")
        order = torch.randperm(rows, generator=torch.Generator().manual_seed(recipe.seed))
        if task.labels is not None:
            order = order[torch.argsort(task.labels.cpu()[order], stable=True)]
        kept = order[torch.arange(rows) * self.share % 1 < self.share].sort().values
        updates = total_steps(rows, recipe)
        return task.changed(self.ref, train=task.train.subset(kept)), recipe.replace(
            epochs=math.ceil(recipe.epochs / self.share) + 1, max_steps=updates
        )
