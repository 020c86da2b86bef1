"""A longer training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from traindx.records import Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task


@dataclass(frozen=True)
class MoreEpochs(Remedy):
    """Train ``factor`` times as long; schedules stretch with it."""

    id: ClassVar[str] = "more-epochs"
    size: ClassVar[float] = 4.0
    factor: float = 3.0

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        steps = None if recipe.max_steps is None else math.ceil(recipe.max_steps * self.factor)
        return task, recipe.replace(epochs=math.ceil(recipe.epochs * self.factor), max_steps=steps)

    def stronger(self) -> MoreEpochs | None:
        """Four times as long again, up to about 100 times."""
        return MoreEpochs(self.factor * 4) if self.factor <= 25 else None
