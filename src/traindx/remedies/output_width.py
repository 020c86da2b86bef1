"""Another number of outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import Recipe
from traindx.remedies import surgery
from traindx.remedies.base import Remedy, operated
from traindx.tasks import Task


@dataclass(frozen=True)
class OutputWidth(Remedy):
    """Give the last layer ``width`` units; its weights are drawn anew."""

    id: ClassVar[str] = "output-width"
    size: ClassVar[float] = 1.0
    width: int

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        return operated(task, self, surgery.set_output_width, width=self.width), recipe
