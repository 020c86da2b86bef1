"""A linear warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task
from traindx.training import total_steps


@dataclass(frozen=True)
class WarmUp(Remedy):
    """Let the rate rise linearly over the first ``share`` of the updates (Goyal et al. 2017, section 2.2)."""

    id: ClassVar[str] = "warm-up"
    size: ClassVar[float] = 1.0
    share: float = 0.1

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        steps = max(1, round(self.share * total_steps(len(task.train), recipe)))
        if recipe.warmup_steps >= steps:
            raise NotApplicable(f"the recipe warms up over {recipe.warmup_steps} updates already")
        return task, recipe.replace(warmup_steps=steps)
