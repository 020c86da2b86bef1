"""Another optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task

# The highest rate that is tried for an adaptive optimizer.
HIGHEST_RATE = 1e-2


@dataclass(frozen=True)
class SetOptimizer(Remedy):
    """Another optimizer at a rate that is usual for it; its own options are dropped."""

    id: ClassVar[str] = "set-optimizer"
    size: ClassVar[float] = 1.4
    optimizer: str = "adam"
    lr: float = 1e-3

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        if recipe.optimizer == self.optimizer:
            raise NotApplicable(f"the optimizer is {self.optimizer} already")
        return task, recipe.replace(optimizer=self.optimizer, lr=self.lr, optimizer_options={})

    def stronger(self) -> SetOptimizer | None:
        """A higher rate."""
        return SetOptimizer(self.optimizer, float(f"{self.lr * 10:.6g}")) if self.lr < HIGHEST_RATE else None
