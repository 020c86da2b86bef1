"""A loss in which every class weighs the same, however rare it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy, outputs_of_a_few
from traindx.tasks import Task


@dataclass(frozen=True)
class ClassWeights(Remedy):
    """Each row's loss over the frequency of its class, to the power ``strength``: the rows are drawn as before. Judged by the loss as it was."""

    id: ClassVar[str] = "class-weights"
    size: ClassVar[float] = 1.3
    strength: float = 1.0

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        labels, loss = task.labels, task.training_loss
        if labels is None:
            raise NotApplicable("rows have no single class label")
        if not (loss is F.cross_entropy or (type(loss) is nn.CrossEntropyLoss and loss.weight is None)):
            raise NotApplicable("the loss is not torch's cross-entropy over classes, or has weights already")
        outputs = outputs_of_a_few(task).shape[1]
        counts = torch.bincount(labels[labels >= 0], minlength=outputs).double()
        if len(counts) > outputs:
            raise NotApplicable("there are more classes than outputs")
        weights = torch.where(counts > 0, (counts.sum() / counts.clamp_min(1)) ** self.strength, 0.0)
        weights = weights / weights[counts > 0].mean()
        given = loss if isinstance(loss, nn.CrossEntropyLoss) else nn.CrossEntropyLoss()
        weighted = Weighted(weights.float(), given.ignore_index, given.reduction, given.label_smoothing)
        return task.changed(self.ref, training_loss=weighted), recipe


class Weighted(nn.CrossEntropyLoss):
    """Cross-entropy with class weights that follow the outputs to their device."""

    def __init__(self, weight: torch.Tensor, ignore_index: int, reduction: str, label_smoothing: float) -> None:
        super().__init__(weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(N, C) logits and (N,) class indices -> scalar."""
        if self.weight is not None and self.weight.device != outputs.device:
            self.to(outputs.device)
        return super().forward(outputs, targets)
