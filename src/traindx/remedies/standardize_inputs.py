"""Inputs of mean 0 and standard deviation 1, by the training rows; columns that a model looks up as codes stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import Task
from traindx.training import predict

# Wider inputs have no columns of codes; so many rows are asked about each.
MOST_COLUMNS, ASKED_ROWS = 256, 16


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


def codes(task: Task) -> list[int]:
    """Columns of whole numbers that the model looks up, as it does categories. Cost: two forward passes of a few rows for each such column.

    A fresh model is asked: a quarter more leaves its outputs the same to the bit, and one more changes them or is refused.
    """
    inputs = task.train.inputs
    if inputs is None or inputs.ndim != 2 or inputs.shape[1] > MOST_COLUMNS:
        return []
    model = task.build(0)
    before = _outputs(task, model, 0, 0.0)
    return [
        j
        for j in range(inputs.shape[1])
        if before is not None
        and bool(((inputs[:, j] == inputs[:, j].round()) & (inputs[:, j] >= 0)).all())
        and _same(before, _outputs(task, model, j, 0.25))
        and not _same(before, _outputs(task, model, j, 1.0))
    ]


def _outputs(task: Task, model: nn.Module, column: int, step: float) -> Tensor | None:
    """The outputs for a few rows with the step added to the column; None where the model refuses these, or they are no tensor."""
    rows, chosen = task.train.map_inputs(partial(_moved, column=column, step=step)), torch.arange(min(ASKED_ROWS, len(task.train)))
    try:
        outputs = predict(task, model, rows, torch.device("cpu"), chosen)[0]
    except (IndexError, RuntimeError):
        return None
    return torch.cat(outputs) if all(isinstance(o, Tensor) for o in outputs) else None


def _moved(inputs: Tensor, column: int, step: float) -> Tensor:
    moved = inputs.clone()
    moved[:, column] += step
    return moved


def _same(one: Tensor, other: Tensor | None) -> bool:
    return other is not None and torch.equal(one.nan_to_num(), other.nan_to_num())


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
        scaling, kept = standardization(inputs), codes(task)
        scaling.mean[:, kept], scaling.std[:, kept] = 0.0, 1.0
        return task.changed(self.ref, map_inputs=scaling), recipe
