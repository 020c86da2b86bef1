"""A higher or a lower learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task

# Beyond this factor a rate is no longer a variation of the one given.
LARGEST_FACTOR = 1e6


@dataclass(frozen=True)
class ScaleRate(Remedy):
    """Multiply the learning rate by ``factor``."""

    id: ClassVar[str] = "scale-rate"
    size: ClassVar[float] = 1.0
    factor: float

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new recipe."""
        if recipe.lr == 0:
            raise NotApplicable("the learning rate is zero: no factor changes it")
        return task, recipe.replace(lr=recipe.lr * self.factor)

    def stronger(self) -> ScaleRate | None:
        """The square of the step: x 10, then x 100; x 0.1, then x 0.01."""
        step = 10.0 if self.factor > 1 else 0.1
        farther = float(f"{self.factor * step:.6g}")
        return ScaleRate(farther) if 1 / LARGEST_FACTOR <= farther <= LARGEST_FACTOR else None
