"""Test inputs put through the pipeline of the training inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import NotApplicable, Recipe
from traindx.remedies.alignments import alignment, families
from traindx.remedies.base import Remedy
from traindx.remedies.match_test import MISMATCH
from traindx.tasks import Task


@dataclass(frozen=True)
class AlignTestInputs(Remedy):
    """Bring the test inputs to the training inputs by a map of one family of `alignments`, ``kind``. Opens the test inputs, not the labels."""

    id: ClassVar[str] = "align-test-inputs"
    size: ClassVar[float] = 1.2
    kind: str = "moments"

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task whose test set is seen through the map."""
        train, test = task.train.inputs, task.test.inputs(MISMATCH) if task.test else None
        if train is None or test is None or train.shape[1:] != test.shape[1:] or self.kind not in families(train):
            raise NotApplicable("needs array inputs that such a map is for, and a test set of the same shape")
        function = alignment(self.kind, train, test)
        if function is None:
            raise NotApplicable(f"no map of this family brings the sets nearer: {self.kind}")
        return task.changed(self.ref, map_test=function), recipe
