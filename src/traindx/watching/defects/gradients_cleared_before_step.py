"""zero_grad() stands between backward() and step(): the optimizer steps on nothing."""

from __future__ import annotations

from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop

# A gradient that something has changed since it arrived is read at so many updates: clipping changes it too, at every one.
UPDATES = 6


class GradientsClearedBeforeStep(Detector):
    """Seen where gradients arrived and are gone, or all zero, when the optimizer steps."""

    cause = "gradients-cleared-before-step"
    settles = "call optimizer.zero_grad() before the backward pass or after the step, not between the two"

    def __init__(self) -> None:
        super().__init__()
        self._version = -1

    def accumulated(self, loop: Loop) -> None:
        """It has arrived."""
        gradient = loop.witness.grad if loop.witness is not None else None
        self._version = -1 if gradient is None else gradient._version

    def updating(self, loop: Loop) -> None:
        """Is it still there?"""
        if not loop.stepped_witness or not loop.backwards or self._version < 0 or self.held is not None or loop.witness is None:
            return
        gradient = loop.witness.grad
        if gradient is None or (gradient._version != self._version and loop.updates <= UPDATES and not bool((gradient != 0).any())):
            self.saw(loop, "gradients had arrived, and were cleared before the optimizer stepped")
        else:
            self.saw_nothing()
