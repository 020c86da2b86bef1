"""Labels put back beside their inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import Remedy
from traindx.tasks import ArrayRows, Task
from traindx.tasks.pool import in_order, shifted
from traindx.tasks.splits import fold_indices


@dataclass(frozen=True)
class RealignLabels(Remedy):
    """Give every row the target of the row ``offset`` places further on; rows without one are left out. Validation rows likewise."""

    id: ClassVar[str] = "realign-labels"
    size: ClassVar[float] = 1.2
    offset: int

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        rows, validation = in_order(task), task.validation
        if not isinstance(rows, ArrayRows) or not isinstance(validation, ArrayRows):
            raise NotApplicable("inputs are not arrays")
        if len(rows) <= 2 * abs(self.offset) + 2:
            raise NotApplicable("too few rows")
        if task.validation_given:
            return task.changed(self.ref, train=shifted(rows, self.offset), validation=shifted(validation, self.offset)), recipe
        pool = shifted(rows, self.offset)
        train, held_out = fold_indices(len(pool), task.fold)
        return task.changed(self.ref, train=pool.subset(train), validation=pool.subset(held_out)), recipe
