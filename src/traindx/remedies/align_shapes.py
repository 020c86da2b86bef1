"""Outputs in the shape of the targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Batch, Forward, Task


@dataclass(frozen=True)
class Aligned:
    """A forward pass whose targets take the shape of the outputs, where both hold as many numbers; picklable."""

    forward: Forward

    def __call__(self, model: nn.Module, batch: Batch) -> tuple[Any, Any]:
        """(outputs, targets) of one shape."""
        outputs, targets = self.forward(model, batch)
        return (outputs, targets.reshape(outputs.shape)) if outputs.numel() == targets.numel() else (outputs, targets)


@dataclass(frozen=True)
class AlignShapes(Remedy):
    """Give targets the shape of the outputs, so that a row meets its own target only."""

    id: ClassVar[str] = "align-shapes"
    size: ClassVar[float] = 0.8

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        targets = task.train.targets
        if not isinstance(targets, Tensor):
            raise NotApplicable("targets are not arrays")
        return task.changed(self.ref, forward=Aligned(task.forward)), recipe
