"""Activations between layers that follow each other without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import Recipe
from traindx.remedies import surgery
from traindx.remedies.base import Remedy, operated
from traindx.tasks import Task


@dataclass(frozen=True)
class InsertActivations(Remedy):
    """Put rectifiers where only linear steps part two layers."""

    id: ClassVar[str] = "insert-activations"
    size: ClassVar[float] = 1.0
    to: str = "relu"

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        return operated(task, self, surgery.insert_activations, to=self.to), recipe
