"""A bound on the gradient norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task


@dataclass(frozen=True)
class ClipGradients(Remedy):
    """Scale gradients down to a norm of at most ``norm`` (Pascanu, Mikolov and Bengio 2013)."""

    id: ClassVar[str] = "clip-gradients"
    size: ClassVar[float] = 1.2
    norm: float = 1.0

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        if recipe.clip_norm is not None and recipe.clip_norm <= self.norm:
            raise NotApplicable(f"gradients are clipped at {recipe.clip_norm:g} already")
        return task, recipe.replace(clip_norm=self.norm)
