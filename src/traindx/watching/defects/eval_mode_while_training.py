"""Dropout is off and batch statistics stand still while the parameters are updated."""

from __future__ import annotations

from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop, mode_dependent


class EvalModeWhileTraining(Detector):
    """Seen where the whole model is in evaluation mode when the optimizer steps, and has layers that compute something else in training mode.
    Single layers kept in evaluation mode inside a training model are a common intention, and no finding.
    """

    cause = "eval-mode-while-training"
    shows_in_training = False
    lasting = True
    settles = "call model.train() before the training batches, also after each evaluation"

    def updating(self, loop: Loop) -> None:
        """In which mode were these gradients computed?"""
        if loop.module.training:
            self.saw_nothing()
        elif self.held is None and any(not m.training for m in mode_dependent(loop.module)):
            self.saw(loop, "the model was in evaluation mode while it was trained", type(mode_dependent(loop.module)[0]).__name__)
