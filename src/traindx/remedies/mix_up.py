"""Training on mixtures of two rows and of their targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy, outputs_of_a_few
from traindx.tasks import Batch, Form, Forward, Kind, Task, output_form


@dataclass(frozen=True)
class Mixing:
    """A forward pass that, while the model trains, mixes every row with another of its batch; picklable."""

    forward: Forward
    alpha: float
    classes: int | None

    def __call__(self, model: nn.Module, batch: Batch) -> tuple[Any, Any]:
        """(outputs, targets); of class indices the targets become (N, C) shares."""
        if not model.training:
            return self.forward(model, batch)
        inputs, targets = batch
        mine = torch._sample_dirichlet(torch.full((2,), self.alpha))[0].to(inputs.device, inputs.dtype)
        other = torch.randperm(len(inputs)).to(inputs.device)
        shares = targets if self.classes is None else F.one_hot(targets, self.classes).to(inputs.dtype)
        return self.forward(model, (_mixed(inputs, other, mine), _mixed(shares, other, mine)))


def _mixed(values: Tensor, other: Tensor, mine: Tensor) -> Tensor:
    return mine * values + (1 - mine) * values[other]


@dataclass(frozen=True)
class MixUp(Remedy):
    """Rows and targets mixed in pairs, in shares drawn from Beta(``alpha``, ``alpha``), one a batch (Zhang et al. 2018)."""

    id: ClassVar[str] = "mix-up"
    size: ClassVar[float] = 2.0
    alpha: float = 0.2

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        inputs, targets = task.train.inputs, task.train.targets
        if inputs is None or targets is None or not inputs.is_floating_point():
            raise NotApplicable("inputs are not arrays of numbers, which could be mixed")
        if targets.is_floating_point():
            if task.kind is Kind.CLASSIFICATION and targets[0].numel() == 1 and output_form(task.training_loss, task.kind) is Form.UNKNOWN:
                raise NotApplicable("the loss is not known to take shares of classes")
            return task.changed(self.ref, forward=Mixing(task.forward, self.alpha, None)), recipe
        loss = task.training_loss
        if not (loss is F.cross_entropy or type(loss) is nn.CrossEntropyLoss) or task.kind is not Kind.CLASSIFICATION or targets.ndim != 1:
            raise NotApplicable("the loss is not torch's cross-entropy, which takes shares of classes")
        classes = outputs_of_a_few(task).shape[1]
        ignored = loss.ignore_index if isinstance(loss, nn.CrossEntropyLoss) else nn.CrossEntropyLoss().ignore_index
        if bool(((targets < 0) | (targets >= classes) | (targets == ignored)).any()):
            raise NotApplicable("some rows have no class that the network tells")
        return task.changed(self.ref, forward=Mixing(task.forward, self.alpha, classes)), recipe
