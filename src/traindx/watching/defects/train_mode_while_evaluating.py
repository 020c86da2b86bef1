"""The model is evaluated in training mode: dropout is on, and validation rows move the batch statistics."""

from __future__ import annotations

from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop, mode_dependent


class TrainModeWhileEvaluating(Detector):
    """Seen in the mode of the forward passes between the last update and the report of a validation loss."""

    cause = "train-mode-while-evaluating"
    needed = 1
    shows_in_training = False
    lasting = True
    settles = "call model.eval() before the evaluation, and model.train() after it"

    def validated(self, loop: Loop) -> None:
        """In which mode was this measured?"""
        if self.held is None and loop.evaluations and all(loop.evaluations) and mode_dependent(loop.module):
            layer = type(mode_dependent(loop.module)[0]).__name__
            batches = "1 batch" if len(loop.evaluations) == 1 else f"{len(loop.evaluations)} batches"
            self.saw(loop, f"the validation loss was measured in training mode, over {batches}", layer)
