"""No weight decay and no dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy, operated
from traindx.tasks import Task


def dropouts(model: nn.Module) -> list[float]:
    """The probabilities at which units are dropped: of dropout layers, recurrent layers and attention."""
    found = [m.p for m in model.modules() if isinstance(m, _DropoutNd)]
    return found + [float(m.dropout) for m in model.modules() if isinstance(m, (nn.RNNBase, nn.MultiheadAttention))]


def without_dropout(model: nn.Module, probe: Any) -> nn.Module:
    """Set every dropout probability to 0."""
    for module in model.modules():
        if isinstance(module, _DropoutNd):
            module.p = 0.0
        elif isinstance(module, (nn.RNNBase, nn.MultiheadAttention)):
            module.dropout = 0.0
    return model


@dataclass(frozen=True)
class RemoveRegularization(Remedy):
    """Take weight decay and dropout away."""

    id: ClassVar[str] = "remove-regularization"
    size: ClassVar[float] = 1.0

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task, a new recipe, or both."""
        dropped = max(dropouts(task.build(recipe.seed)), default=0.0) > 0
        options = {k: v for k, v in recipe.optimizer_options.items() if k != "weight_decay"}
        lighter = recipe.replace(weight_decay=0.0, optimizer_options={**options, **_no_default_decay(recipe)})
        if not dropped and lighter == recipe:
            raise NotApplicable("there is neither weight decay nor dropout")
        return (operated(task, self, without_dropout) if dropped else task), lighter


def _no_default_decay(recipe: Recipe) -> dict[str, float]:
    """AdamW decays weights unless it is told not to."""
    return {"weight_decay": 0.0} if recipe.optimizer == "adamw" else {}
