"""Targets that are not quite sure: a share of each label spread over all classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torch.nn import functional as F

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task


def smoothed(loss: object, share: float) -> nn.CrossEntropyLoss:
    """The same cross-entropy with smoothed labels.

    Raises:
        NotApplicable: when the loss is not torch's cross-entropy over classes.

    """
    if loss is F.cross_entropy:
        return nn.CrossEntropyLoss(label_smoothing=share)
    if type(loss) is not nn.CrossEntropyLoss:
        raise NotApplicable("the loss is not torch's cross-entropy over classes")
    return nn.CrossEntropyLoss(weight=loss.weight, ignore_index=loss.ignore_index, reduction=loss.reduction, label_smoothing=share)


@dataclass(frozen=True)
class LabelSmoothing(Remedy):
    """Train on labels smoothed by ``share`` (Szegedy et al. 2016, section 7); judged by the loss as it was."""

    id: ClassVar[str] = "label-smoothing"
    size: ClassVar[float] = 1.2
    share: float = 0.1

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        gentler = smoothed(task.training_loss, self.share)
        if isinstance(task.training_loss, nn.CrossEntropyLoss) and task.training_loss.label_smoothing >= self.share:
            raise NotApplicable("labels are smoothed as much already")
        return task.changed(self.ref, training_loss=gentler), recipe
