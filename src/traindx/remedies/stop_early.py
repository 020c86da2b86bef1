"""Early stopping on the validation loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task


@dataclass(frozen=True)
class StopEarly(Remedy):
    """Stop after ``patience`` epochs without a lower validation loss, and keep the best weights."""

    id: ClassVar[str] = "stop-early"
    size: ClassVar[float] = 0.9
    patience: int = 5

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        return task, recipe.replace(early_stopping=self.patience)
