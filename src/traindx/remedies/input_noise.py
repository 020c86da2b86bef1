"""Noise on the training inputs, in units of each column's own spread."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy, changed_in_training
from traindx.tasks import Task

# Columns of fewer values are switches and categories: a little noise would make them what they never are.
LEAST_VALUES = 10


@dataclass(frozen=True)
class InputNoise(Remedy):
    """Normal noise of ``scale`` standard deviations of each measured column while training (Bishop 1995: a penalty on curvature)."""

    id: ClassVar[str] = "input-noise"
    size: ClassVar[float] = 1.9
    scale: float = 0.1

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        inputs = task.train.inputs
        if inputs is None or not inputs.is_floating_point():
            raise NotApplicable("inputs are not arrays of measured numbers")
        flat = inputs.reshape(len(inputs), -1)
        spread = flat.nan_to_num().std(0, correction=0)
        measured = torch.tensor([len(column.unique()) >= min(LEAST_VALUES, len(flat)) for column in flat.T])
        spread = torch.where(measured, spread, 0.0)
        if not bool((spread > 0).any()):
            raise NotApplicable("no column of the inputs is a measured number")
        return changed_in_training(task, self, partial(Noisy, spread.reshape(inputs.shape[1:]) * self.scale)), recipe


class Noisy(nn.Module):
    """Adds normal noise of this standard deviation, shape (...)."""

    def __init__(self, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("deviation", deviation)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, ...) -> (N, ...)."""
        deviation = self.get_buffer("deviation").to(inputs.dtype)
        return inputs + deviation * torch.randn(inputs.shape).to(inputs.device, inputs.dtype)
