"""Every parameter learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy, operated
from traindx.tasks import Task


def thaw(model: nn.Module, probe: Any) -> nn.Module:
    """Set every floating-point parameter to be learned."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.requires_grad_(True)
    return model


@dataclass(frozen=True)
class Unfreeze(Remedy):
    """Let frozen parameters learn."""

    id: ClassVar[str] = "unfreeze"
    size: ClassVar[float] = 1.0

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        if all(p.requires_grad for p in task.build(recipe.seed).parameters()):
            raise NotApplicable("no parameter is frozen")
        return operated(task, self, thaw), recipe
