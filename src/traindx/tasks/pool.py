"""The rows as they were handed over: training rows, and validation rows where traindx split them off, in their first order."""

from __future__ import annotations

import torch

from traindx.tasks.rows import ArrayRows, Rows
from traindx.tasks.task import Task


def in_order(task: Task) -> Rows:
    """Training and validation rows in the order in which they were given; the training rows alone where validation was given apart."""
    if task.validation_given or not isinstance(task.train, ArrayRows) or not isinstance(task.validation, ArrayRows):
        return task.train
    rows = len(task.train) + len(task.validation)
    held_out = torch.ones(rows, dtype=torch.bool)
    held_out[task.train_index] = False
    places = torch.empty(rows, dtype=torch.long)
    places[task.train_index] = torch.arange(len(task.train))
    places[held_out] = torch.arange(len(task.train), rows)
    both = zip(task.train.columns, task.validation.columns, strict=True)
    return ArrayRows([torch.cat([mine, theirs.to(mine.device)])[places.to(mine.device)] for mine, theirs in both])


def shifted(rows: ArrayRows, offset: int) -> ArrayRows:
    """Every row with the target of the row ``offset`` places further on; rows without one are left out."""
    first, last = max(0, -offset), len(rows) - max(0, offset)
    *inputs, targets = rows.columns
    return ArrayRows([*(column[first:last] for column in inputs), targets[first + offset : last + offset]])
