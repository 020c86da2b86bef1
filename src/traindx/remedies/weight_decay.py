"""Weight decay, decoupled from the gradient's scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task
from traindx.training import takes

_DECOUPLED = {"adam": "adamw", "nadam": "nadam", "radam": "radam"}


@dataclass(frozen=True)
class AddWeightDecay(Remedy):
    """Decay weights by ``value`` (as a share per unit of the learning rate); Adam becomes AdamW (Loshchilov and Hutter 2019)."""

    id: ClassVar[str] = "weight-decay"
    size: ClassVar[float] = 1.0
    value: float = 0.1

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        optimizer = _DECOUPLED.get(recipe.optimizer, recipe.optimizer)
        if not takes(optimizer, "weight_decay"):
            raise NotApplicable(f"the optimizer {recipe.optimizer} has no weight decay")
        return task, recipe.replace(optimizer=optimizer, weight_decay=max(recipe.weight_decay, self.value))
