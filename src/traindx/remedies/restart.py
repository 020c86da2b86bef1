"""Another draw of the initial weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task


@dataclass(frozen=True)
class Restart(Remedy):
    """Train from another seed."""

    id: ClassVar[str] = "restart"
    size: ClassVar[float] = 0.8
    offset: int = 101

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        if task.pretrained:
            raise NotApplicable("the factory returns the same weights under every seed")
        return task, recipe.replace(seed=recipe.seed + self.offset)
