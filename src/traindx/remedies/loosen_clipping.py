"""Gradients as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task


@dataclass(frozen=True)
class LoosenClipping(Remedy):
    """Take the bound off the gradient norm."""

    id: ClassVar[str] = "loosen-clipping"
    size: ClassVar[float] = 0.95

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        if recipe.clip_norm is None:
            raise NotApplicable("gradients are not clipped")
        return task, recipe.replace(clip_norm=None)
