"""A loss that wrong labels pull at less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Kind, Task

# Residuals are taken for normal up to this many robust standard deviations (Huber 1981: 95 % efficiency where all of them are).
NORMAL = 1.345
# The median distance of normal numbers from their median, as a share of their standard deviation, is one over this.
MEDIAN_TO_DEVIATION = 1.4826


@dataclass(frozen=True)
class GeneralizedCrossEntropy:
    """(1 - p^q) / q of the label's probability p: cross-entropy as q goes to 0, the mean absolute error at 1; picklable.

    Zhang and Sabuncu, Generalized cross entropy loss for training deep neural networks with noisy labels, NeurIPS 2018.
    """

    q: float
    summed: bool = False

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        """(N, C) logits and (N,) class indices -> scalar, the mean over rows or their sum."""
        log_p = F.log_softmax(outputs, 1).gather(1, targets[:, None])
        losses = -(log_p * self.q).expm1() / self.q
        return losses.sum() if self.summed else losses.mean()


@dataclass(frozen=True)
class RobustLoss(Remedy):
    """Generalized cross-entropy for classes; Huber's loss for numbers. Judged by the loss as it was."""

    id: ClassVar[str] = "robust-loss"
    size: ClassVar[float] = 1.5
    q: float = 0.7

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        targets, reduction = task.train.targets, getattr(task.training_loss, "reduction", "mean")
        if task.kind is Kind.CLASSIFICATION and _classes(task) and targets is not None and not targets.is_floating_point():
            if bool((targets < 0).any()):
                raise NotApplicable("some rows have no class")
            return task.changed(self.ref, training_loss=GeneralizedCrossEntropy(self.q, reduction == "sum")), recipe
        if task.kind is Kind.REGRESSION and _squares(task) and targets is not None:
            return task.changed(self.ref, training_loss=nn.HuberLoss(reduction, _normal_range(targets))), recipe
        raise NotApplicable("the loss is neither torch's cross-entropy over class indices nor its mean squared error")


def _classes(task: Task) -> bool:
    """Classes that weigh the same."""
    loss = task.training_loss
    return loss is F.cross_entropy or (type(loss) is nn.CrossEntropyLoss and loss.weight is None)


def _squares(task: Task) -> bool:
    return task.training_loss is F.mse_loss or type(task.training_loss) is nn.MSELoss


def _normal_range(targets: Tensor) -> float:
    """NORMAL robust standard deviations of the targets: an upper bound of that of the residuals, known before training.

    Raises:
        NotApplicable: where more than half of the targets are one value, which have no such deviation.

    """
    distances = (targets.double() - targets.double().median()).abs()
    if not float(distances.median()) > 0:
        raise NotApplicable("more than half of the targets are one value: nothing says how far the others should be")
    return NORMAL * MEDIAN_TO_DEVIATION * float(distances.median())
