"""Another momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task
from traindx.training import takes


@dataclass(frozen=True)
class SetMomentum(Remedy):
    """Momentum, or the first of Adam's two decay rates, of ``momentum``."""

    id: ClassVar[str] = "set-momentum"
    size: ClassVar[float] = 1.0
    momentum: float = 0.9

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        if takes(recipe.optimizer, "momentum"):
            options = {k: v for k, v in recipe.optimizer_options.items() if k != "momentum"}
            return task, recipe.replace(momentum=self.momentum, optimizer_options=options)
        if takes(recipe.optimizer, "betas"):
            betas = recipe.optimizer_options.get("betas")
            second = betas[1] if isinstance(betas, list) else 0.999
            return task, recipe.replace(optimizer_options={**recipe.optimizer_options, "betas": [self.momentum, second]})
        raise NotApplicable(f"{recipe.optimizer} has no momentum")
