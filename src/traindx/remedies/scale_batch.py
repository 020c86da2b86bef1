"""A larger or a smaller batch, and as many epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task

# Batches are not made smaller than this: their updates would be mostly noise, and a training of them long.
SMALLEST = 8


@dataclass(frozen=True)
class ScaleBatch(Remedy):
    """Multiply the batch size by ``factor``; the epochs stay, so the number of updates changes the other way."""

    id: ClassVar[str] = "scale-batch"
    size: ClassVar[float] = 1.1
    factor: float

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        rows = len(task.train)
        size = round(min(recipe.batch_size, rows) * self.factor)
        if not SMALLEST <= size <= rows:
            raise NotApplicable(f"a batch of {size} rows cannot be drawn from {rows}")
        longest = None if recipe.max_steps is None else max(1, math.ceil(recipe.max_steps / self.factor))
        return task, recipe.replace(batch_size=size, max_steps=longest)

    def stronger(self) -> ScaleBatch | None:
        """The square of the factor, once."""
        step = 8.0 if self.factor > 1 else 0.125
        farther = self.factor * step
        return ScaleBatch(farther) if 1 / 64 <= farther <= 64 else None
