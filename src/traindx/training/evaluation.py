"""Evaluation: loss and metric of a model on rows, in evaluation mode, with the loss's standard error.

Rows are evaluated in about CHUNKS chunks; the spread of the chunks' mean losses gives the standard error for any loss, known or not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from traindx.records import InputError
from traindx.tasks import Rows, Task, preserved_rng

# At most this many rows are evaluated: the loss of 2,048 rows has a standard error of a few per cent of its standard deviation.
MAX_ROWS = 2048
CHUNKS = 16
# Enough rows to tell a number a batch from a number a row.
CHECKED_ROWS = 4
LARGEST_CHUNK = 256


@dataclass(frozen=True)
class Evaluation:
    """Mean loss with its standard error, and the metric (NaN where the task has none)."""

    loss: float
    standard_error: float
    metric: float
    rows: int


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; each module's own mode is put back."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def chunk_size(rows: int) -> int:
    """Rows a chunk, so that there are about CHUNKS of them."""
    return max(1, min(LARGEST_CHUNK, math.ceil(rows / CHUNKS)))


def evaluated_index(rows: int, limit: int | None = None) -> Tensor:
    """The rows that are evaluated: all, or ``limit`` of them (MAX_ROWS by default), in one fixed random order.

    The order matters: chunks of rows that lie together in a sorted file differ by more than chance, and would overstate the standard error.
    """
    return torch.randperm(rows, generator=torch.Generator().manual_seed(0))[: MAX_ROWS if limit is None else limit]


def predict(task: Task, model: nn.Module, rows: Rows, device: torch.device, index: Tensor | None = None) -> tuple[list[Any], list[Any]]:
    """(outputs, targets), a chunk an item, in evaluation mode; the model stays as it was."""
    index = evaluated_index(len(rows)) if index is None else index
    outputs, targets = [], []
    with evaluation_mode(model):
        for batch in rows.batches(list(index.split(chunk_size(len(index)))), device):
            chunk_outputs, chunk_targets = task.forward(model, batch)
            outputs.append(chunk_outputs)
            targets.append(chunk_targets)
    return outputs, targets


def check_loss(task: Task) -> None:
    """Nothing, where the loss of a few rows is one number; what raises on the way is told by the run.

    Raises:
        InputError: when it is a number a row.

    """
    index = torch.arange(min(CHECKED_ROWS, len(task.train)))
    try:
        model = task.build(0)
        with evaluation_mode(model), preserved_rng():
            outputs, targets = task.forward(model, next(iter(task.train.batches([index], torch.device("cpu")))))
            loss = task.training_loss(outputs, targets)
    except Exception:  # the user's code
        return
    if isinstance(loss, Tensor) and loss.numel() != 1:
        raise InputError("loss", f"found a loss of shape {tuple(loss.shape)} for a batch", 'give one number a batch: reduction="mean"')


def is_summed(task: Task, outputs: Any, targets: Any) -> bool:
    """Whether the loss grows with the number of rows: twice the rows, twice the loss."""
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor) or not len(outputs):
        return False
    once = float(task.loss(outputs, targets))
    twice = float(task.loss(torch.cat([outputs, outputs]), torch.cat([targets, targets])))
    return once != 0 and abs(twice / once - 2) < 1e-3


def chunk_losses(task: Task, outputs: list[Any], targets: list[Any]) -> tuple[list[float], list[int]]:
    """(mean loss a row, rows) of each chunk. A summed loss is divided by the rows, so that it compares across sets."""
    with torch.no_grad():
        summed = is_summed(task, outputs[0], targets[0])
        losses = [task.loss(o, t).detach().double() for o, t in zip(outputs, targets, strict=True)]
    sizes = [len(t) if isinstance(t, Tensor) and t.ndim else 1 for t in targets]
    values = torch.stack([loss.reshape(()) for loss in losses]).cpu().tolist()
    return [v / n if summed else v for v, n in zip(values, sizes, strict=True)], sizes


def mean_and_error(losses: list[float], sizes: list[int]) -> tuple[float, float]:
    """Mean over rows and its standard error over chunks (NaN for fewer than two chunks)."""
    total = sum(sizes)
    mean = sum(v * n for v, n in zip(losses, sizes, strict=True)) / total
    if len(losses) < 2 or not math.isfinite(mean):
        return mean, math.nan
    variance = sum(n * (v - mean) ** 2 for v, n in zip(losses, sizes, strict=True)) / total
    return mean, math.sqrt(variance / (len(losses) - 1))


def metric_of(task: Task, outputs: list[Any], targets: list[Any]) -> float:
    """The task's metric over all chunks together; NaN where there is none or the chunks cannot be joined."""
    if task.metric is None or not all(isinstance(item, Tensor) for item in (*outputs, *targets)):
        return math.nan
    joined = torch.cat(outputs).float()
    return math.nan if not bool(torch.isfinite(joined).all()) else float(task.metric.function(joined, torch.cat(targets)))


def evaluate(task: Task, model: nn.Module, rows: Rows, device: torch.device, index: Tensor | None = None) -> Evaluation:
    """Loss, standard error and metric of the model on these rows. Cost: one forward pass over at most MAX_ROWS rows."""
    outputs, targets = predict(task, model, rows, device, index)
    losses, sizes = chunk_losses(task, outputs, targets)
    loss, error = mean_and_error(losses, sizes)
    return Evaluation(loss, error, metric_of(task, outputs, targets), sum(sizes))
