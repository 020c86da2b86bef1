"""Inputs of another set put through the pipeline of the training inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from traindx.records import NotApplicable, Recipe
from traindx.remedies.alignments import Map, alignment, families
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
        theirs = task.test.inputs(MISMATCH) if task.test else None
        return task.changed(self.ref, map_test=_bringing(self.kind, task.train.inputs, theirs)), recipe


@dataclass(frozen=True)
class AlignValidationInputs(Remedy):
    """Bring the inputs of validation rows given apart to the training inputs by a map of one family of `alignments`, ``kind``."""

    id: ClassVar[str] = "align-validation-inputs"
    size: ClassVar[float] = 1.2
    kind: str = "moments"

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task whose validation rows are seen through the map."""
        if not task.validation_given:
            raise NotApplicable("the validation rows were split off the training rows: they went through one pipeline")
        function = _bringing(self.kind, task.train.inputs, task.validation.inputs)
        return task.changed(self.ref, validation=task.validation.map_inputs(function)), recipe


def _bringing(kind: str, mine: Tensor | None, theirs: Tensor | None) -> Map:
    """The map of this family from ``theirs`` to ``mine``."""
    if mine is None or theirs is None or mine.shape[1:] != theirs.shape[1:] or kind not in families(mine):
        raise NotApplicable("needs array inputs that such a map is for, and two sets of the same shape")
    function = alignment(kind, mine, theirs)
    if function is None:
        raise NotApplicable(f"no map of this family brings the sets nearer: {kind}")
    return function
