"""Rows in random order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task


@dataclass(frozen=True)
class Shuffle(Remedy):
    """Draw the rows of every epoch in a new random order."""

    id: ClassVar[str] = "shuffle"
    size: ClassVar[float] = 0.9

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        if recipe.shuffle or task.sample_weight is not None:
            raise NotApplicable("rows are drawn at random already")
        return task, recipe.replace(shuffle=True)
