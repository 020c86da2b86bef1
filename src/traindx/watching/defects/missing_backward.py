"""Updates without any gradient: backward() is never called on the loss."""

from __future__ import annotations

from torch import Tensor

from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop


class MissingBackward(Detector):
    """Seen where the optimizer steps, the graph of the reported loss leads to parameters, and no gradient has reached any parameter since the last update."""

    cause = "missing-backward"
    settles = "call loss.backward() before optimizer.step()"

    def reported(self, loop: Loop) -> None:
        """The optimizer stepped; on what?"""
        if not loop.updates_since_report:
            return
        if loop.was_reached or not isinstance(loop.loss, Tensor) or not loop.leads_to_parameters(loop.loss):
            self.saw_nothing()
        else:
            self.saw(loop, "the optimizer stepped although no gradient had reached any parameter since the step before", place=loop.place)
