"""Outputs as the last layer gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from traindx.records import NotApplicable, Recipe
from traindx.remedies import surgery
from traindx.remedies.base import Remedy, operated
from traindx.tasks import Task


@dataclass(frozen=True)
class LinearOutput(Remedy):
    """Take the activation behind the last layer away."""

    id: ClassVar[str] = "linear-output"
    size: ClassVar[float] = 0.9

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        if type(task.loss) in (nn.NLLLoss, nn.BCELoss):
            raise NotApplicable("the loss expects probabilities or their logarithms, not logits: it would have to change too")
        return operated(task, self, surgery.remove_output_activation), recipe
