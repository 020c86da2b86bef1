"""Regression targets of mean 0 and standard deviation 1 while training; losses and predictions stay in the user's units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Kind, Loss, ModelFactory, Task


@dataclass(frozen=True)
class StandardizedLoss:
    """The loss of standardised outputs and targets; picklable."""

    loss: Loss
    mean: Tensor
    std: Tensor

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        """A scalar."""
        mean, std = self.mean.to(targets.device), self.std.to(targets.device)
        return self.loss((outputs - mean) / std, (targets - mean) / std)


class Rescaled(nn.Module):
    """A network whose outputs are put back into the units of the targets."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, *inputs: Any) -> Tensor:
        """The network's outputs times the deviation, plus the mean."""
        outputs: Tensor = self.network(*inputs) * self.std + self.mean
        return outputs


@dataclass(frozen=True)
class RescaledFactory:
    """Builds `Rescaled` networks; picklable."""

    build: ModelFactory
    mean: Tensor
    std: Tensor

    def __call__(self) -> nn.Module:
        """A fresh network."""
        return Rescaled(self.build(), self.mean.clone(), self.std.clone())


@dataclass(frozen=True)
class StandardizeTargets(Remedy):
    """Train on standardised targets, by the training rows."""

    id: ClassVar[str] = "standardize-targets"
    size: ClassVar[float] = 1.5

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        targets = task.train.targets
        if task.kind is not Kind.REGRESSION or targets is None:
            raise NotApplicable("targets are not arrays of real numbers")
        values = targets.double().reshape(len(targets), -1)
        if values.shape[1] > 1 and targets.ndim != 2:
            raise NotApplicable("targets have more than one axis besides the rows")
        mean, std = values.mean(0).float(), values.std(0, correction=0).float()
        if not bool((std > 0).all()) or not bool(torch.isfinite(std).all()):
            raise NotApplicable("a target is constant or not finite")
        factory = RescaledFactory(task.fresh_model, mean, std)
        return task.changed(self.ref, model=factory, training_loss=StandardizedLoss(task.loss, mean, std)), recipe
