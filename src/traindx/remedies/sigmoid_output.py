"""Outputs through a sigmoid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import Recipe
from traindx.remedies import surgery
from traindx.remedies.base import Remedy, operated
from traindx.tasks import Task


@dataclass(frozen=True)
class SigmoidOutput(Remedy):
    """Put a sigmoid in place of the activation behind the last layer."""

    id: ClassVar[str] = "sigmoid-output"
    size: ClassVar[float] = 1.0

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        return operated(task, self, surgery.replace_output_activation, to="sigmoid"), recipe
