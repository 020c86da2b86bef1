"""The mean of the loss over a batch in place of its sum."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Loss, Task


@dataclass(frozen=True)
class MeanOverRows:
    """A summed loss, divided by the rows of its batch; picklable."""

    loss: Loss

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        """A scalar."""
        return self.loss(outputs, targets) / len(targets)


@dataclass(frozen=True)
class MeanReduction(Remedy):
    """Divide the loss by the rows of the batch; by all numbers of the batch where rows have several, as torch's own losses do."""

    id: ClassVar[str] = "mean-reduction"
    size: ClassVar[float] = 0.9

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task; its losses are still told a row."""
        if isinstance(task.loss, MeanOverRows) or task.training_loss is not task.loss:
            raise NotApplicable("the loss is divided by the rows already, or another is descended on")
        targets = task.train.targets
        several = targets is not None and len(targets) and targets[0].numel() > 1
        if several and getattr(task.loss, "reduction", None) == "sum":
            return task.changed(self.ref, training_loss=_of_all_numbers(task.loss)), recipe
        return task.changed(self.ref, loss=MeanOverRows(task.loss)), recipe


def _of_all_numbers(loss: Any) -> Loss:
    changed = copy.copy(loss)
    changed.reduction = "mean"
    mean: Loss = changed
    return mean
