"""A start off the saddle, along negative curvature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn.utils import vector_to_parameters

from traindx.curvature.escape import By, escape
from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy, operated, refuse_pretrained
from traindx.tasks import Task
from traindx.training.descended import descended

# Rows on which the curvature is measured: the direction down is that of the whole loss within a few per cent.
ROWS = 512


def leave_saddle(model: nn.Module, probe: Any, of: Task, recipe: Recipe) -> nn.Module:
    """Put the weights where the loss is lower along negative curvature, or along a random direction where there is no curvature at all."""
    objective = descended(of, recipe, model, limit=ROWS)
    found = escape(objective, seed=int(torch.randint(2**31, ())))
    if found.by is By.NOTHING:
        raise NotApplicable("no direction of negative curvature, and no random one that goes down, was found at the initial weights")
    with torch.no_grad():
        vector_to_parameters(found.point, objective.parameters)
    return model


@dataclass(frozen=True)
class EscapeSaddle(Remedy):
    """Begin a step along negative curvature away from the initial weights, where the loss is lower."""

    id: ClassVar[str] = "escape-saddle"
    size: ClassVar[float] = 0.7

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        refuse_pretrained(task, "a step off the start")
        return operated(task, self, leave_saddle, of=task, recipe=recipe), recipe
