"""The loss that goes with classes: cross-entropy on logits; of each label apart, where a row may have several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from traindx.records import NotApplicable, Recipe
from traindx.remedies import surgery
from traindx.remedies.base import Remedy, operated
from traindx.tasks import Kind, Loss, Task, is_distance


def cross_entropy(outputs: Any, targets: Any) -> Tensor:
    """Cross-entropy of logits, for class indices (N,), one-hot targets (N, C), or binary targets of the outputs' shape."""
    if outputs.ndim > 1 and outputs.shape[1] > 1:
        return F.cross_entropy(outputs, targets.to(outputs.dtype) if targets.is_floating_point() else targets)
    return F.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype))


def cross_entropy_of_labels(outputs: Any, targets: Any) -> Tensor:
    """Mean cross-entropy of each label's logit, for targets of 0 and 1 of the outputs' shape."""
    return F.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype))


@dataclass(frozen=True)
class OfLogits:
    """A loss that expects probabilities, told logits: what the old loss says of a network that is trained by another; picklable."""

    loss: Loss
    one_class: bool = True

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        """A scalar."""
        shares = self.one_class and outputs.ndim > 1 and outputs.shape[1] > 1
        return self.loss(outputs.softmax(1) if shares else outputs.sigmoid(), targets)


@dataclass(frozen=True)
class ProperLoss(Remedy):
    """Train by cross-entropy on logits; an activation behind the last layer is taken away. Judged by the old loss, where that is a distance."""

    id: ClassVar[str] = "proper-loss"
    size: ClassVar[float] = 1.0

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        targets = task.train.targets
        if task.kind not in (Kind.CLASSIFICATION, Kind.MULTILABEL) or targets is None:
            raise NotApplicable("targets are no classes")
        one_class = task.kind is Kind.CLASSIFICATION
        proper = cross_entropy if one_class else cross_entropy_of_labels
        if is_distance(task.loss):
            return _of_logits(task, self).changed(self.ref, loss=OfLogits(task.loss, one_class), training_loss=proper), recipe
        if type(task.loss) in (nn.NLLLoss, nn.BCELoss) or (type(task.loss) is nn.CrossEntropyLoss and not one_class):
            return _of_logits(task, self).changed(self.ref, loss=proper), recipe
        raise NotApplicable("the loss is one for classes already, or unknown")


def _of_logits(task: Task, remedy: Remedy) -> Task:
    try:
        return operated(task, remedy, surgery.remove_output_activation)
    except NotApplicable:  # there is none: the outputs are logits already
        return task
