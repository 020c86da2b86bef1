"""Another learning-rate schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task


@dataclass(frozen=True)
class SetSchedule(Remedy):
    """Let the rate follow ``schedule`` over the whole training."""

    id: ClassVar[str] = "set-schedule"
    size: ClassVar[float] = 1.05
    schedule: str = "cosine"

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        if recipe.schedule == self.schedule:
            raise NotApplicable(f"the schedule is {self.schedule} already")
        return task, recipe.replace(schedule=self.schedule)
