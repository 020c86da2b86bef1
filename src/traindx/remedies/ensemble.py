"""Several networks in place of one, each drawn and trained by itself, whose outputs are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import PROBE_ROWS, Remedy, refuse_pretrained
from traindx.tasks import Batch, Forward, ModelFactory, Task, preserved_rng
from traindx.training.evaluation import is_summed


class Averaged(nn.Module):
    """Networks of the same rows: the mean of their outputs; while they train, the outputs of one after the other, (members * N, ...).

    The mean loss over all of these is that of each network, divided by how many there are: ``factor`` on the gradient makes up for it.
    """

    def __init__(self, members: Sequence[nn.Module], factor: float) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.factor = factor

    def forward(self, *inputs: Any, **named: Any) -> Tensor:
        """(N, ...) outputs, or as many times as many."""
        outputs = [member(*inputs, **named) for member in self.members]
        if not self.training:
            return torch.stack(outputs).mean(0)
        together = torch.cat(outputs)
        if together.requires_grad:
            together.register_hook(lambda gradient: gradient * self.factor)
        return together


@dataclass(frozen=True)
class AveragedFactory:
    """Builds `Averaged` networks; picklable."""

    build: ModelFactory
    members: int
    factor: float

    def __call__(self) -> nn.Module:
        """Fresh networks, each with weights of its own."""
        return Averaged([self.build() for _ in range(self.members)], self.factor)


@dataclass(frozen=True)
class EachByItself:
    """A forward pass that, while `Averaged` networks train, gives every network's outputs the targets; picklable."""

    forward: Forward
    members: int

    def __call__(self, model: nn.Module, batch: Batch) -> tuple[Any, Any]:
        """(outputs, targets)."""
        outputs, targets = self.forward(model, batch)
        return outputs, torch.cat([targets] * self.members) if model.training else targets


@dataclass(frozen=True)
class Ensemble(Remedy):
    """Train ``members`` networks of the same kind from other weights each, and average their outputs (Lakshminarayanan et al. 2017).

    Of a convex loss, the mean output has never more than the networks have on average. Training and use cost as many times as much.
    """

    id: ClassVar[str] = "ensemble"
    size: ClassVar[float] = 5.0
    members: int = 3

    @property
    def networks(self) -> int:
        """The members."""
        return self.members

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        refuse_pretrained(task, "networks that start from other weights")
        index = torch.arange(min(PROBE_ROWS, len(task.train)))
        with torch.no_grad(), preserved_rng():
            outputs, targets = task.forward(task.build(0).eval(), next(iter(task.train.batches([index], torch.device("cpu")))))
        if not all(isinstance(part, Tensor) and part.ndim and len(part) == len(index) for part in (outputs, targets)):
            raise NotApplicable("outputs and targets are not one a row, which could be averaged")
        if outputs.is_complex() or not outputs.is_floating_point():
            raise NotApplicable("outputs are not real numbers")
        factor = 1.0 if is_summed(task, outputs, targets) else float(self.members)
        averaged = AveragedFactory(task.fresh_model, self.members, factor)
        return task.changed(self.ref, model=averaged, forward=EachByItself(task.forward, self.members)), recipe
