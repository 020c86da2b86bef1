"""Inputs of mean 0 and standard deviation 1, by the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task


@dataclass(frozen=True)
class Standardization:
    """x -> (x - mean) / std, and missing values to the mean; picklable."""

    mean: Tensor
    std: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        """Inputs of shape (n, ...)."""
        return ((inputs - self.mean.to(inputs.device)) / self.std.to(inputs.device)).to(inputs.dtype)


def standardization(inputs: Tensor) -> Standardization:
    """By feature for rows of features (N, F), by channel for images and signals (N, C, ...); constant features are only centred."""
    dims = [0, *range(2, inputs.ndim)]
    values = inputs.double()
    mean, std = values.mean(dims, keepdim=True), values.std(dims, correction=0, keepdim=True)
    return Standardization(mean.float(), torch.where(std > 1e-12 * mean.abs().clamp_min(1e-12), std, torch.ones_like(std)).float())


@dataclass(frozen=True)
class StandardizeInputs(Remedy):
    """Standardise the inputs of every split by the training rows."""

    id: ClassVar[str] = "standardize-inputs"
    size: ClassVar[float] = 1.5

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        inputs = task.train.inputs
        if inputs is None or not inputs.is_floating_point():
            raise NotApplicable("inputs are not arrays of real numbers")
        return task.changed(self.ref, map_inputs=standardization(inputs)), recipe
