"""Updates without any gradient: backward() is never called on the loss."""

from __future__ import annotations

from torch import Tensor

from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop


class MissingBackward(Detector):
    """Seen where the optimizer steps, the reported loss carries its graph, and no gradient has reached any parameter since the last update."""

    cause = "missing-backward"
    settles = "call loss.backward() before optimizer.step()"

    def __init__(self) -> None:
        super().__init__()
        self._elsewhere = False

    def updated(self, loop: Loop) -> None:
        """Where the parameter that is followed was left out of this update, as by a layer that is skipped at random, are there other gradients?"""
        if not loop.was_reached and self.held is None:
            self._elsewhere = any(p.grad is not None and bool((p.grad != 0).any()) for _, p in loop.parameters)

    def reported(self, loop: Loop) -> None:
        """The optimizer stepped; on what?"""
        if not loop.updates_since_report:
            return
        if loop.was_reached or self._elsewhere or not isinstance(loop.loss, Tensor) or loop.loss.grad_fn is None:
            self.saw_nothing()
        else:
            self.saw(loop, "the optimizer stepped although no gradient had reached any parameter since the step before", place=loop.place)
