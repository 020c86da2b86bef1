"""Weight decay, decoupled from the gradient's scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task
from traindx.training import takes

# Decay at strength 1: where the gradient is rescaled (Adam and its kin) the decay is decoupled and must be stronger to count.
_COUPLED, _DECOUPLED = 0.01, 0.3
_ADAPTIVE = {"adam": "adamw", "adamw": "adamw"}


@dataclass(frozen=True)
class AddWeightDecay(Remedy):
    """Weight decay of ``strength`` times the usual; Adam becomes AdamW (Loshchilov and Hutter 2019)."""

    id: ClassVar[str] = "weight-decay"
    size: ClassVar[float] = 1.0
    strength: float = 1.0

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        optimizer = _ADAPTIVE.get(recipe.optimizer, recipe.optimizer)
        value = self.strength * (_DECOUPLED if optimizer == "adamw" else _COUPLED)
        if not takes(optimizer, "weight_decay"):
            raise NotApplicable(f"the optimizer {recipe.optimizer} has no weight decay")
        return task, recipe.replace(optimizer=optimizer, weight_decay=max(recipe.weight_decay, value))
