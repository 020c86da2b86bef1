"""Training without the rows of which validation or test rows are copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.remedies.match_test import MISMATCH
from traindx.tasks import Task
from traindx.tasks.twins import copied_from


@dataclass(frozen=True)
class RemoveDuplicates(Remedy):
    """Leave out training rows that validation or test rows repeat. Opens the test inputs, not the labels."""

    id: ClassVar[str] = "remove-duplicates"
    size: ClassVar[float] = 1.3
    repairs: ClassVar[bool] = True

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task with fewer rows."""
        train = task.train.inputs
        others = [task.validation.inputs, task.test.inputs(MISMATCH) if task.test and MISMATCH in task.test.questions else None]
        if train is None or others[0] is None:
            raise NotApplicable("inputs are not arrays")
        repeated = torch.zeros(len(train), dtype=torch.bool)
        for rows in others:
            if rows is not None and rows.shape[1:] == train.shape[1:]:
                repeated |= copied_from(train, rows)
        if not bool(repeated.any()) or int((~repeated).sum()) < 2:
            raise NotApplicable("no training row is repeated, or all are")
        return task.changed(self.ref, train=task.train.subset((~repeated).nonzero().flatten())), recipe
