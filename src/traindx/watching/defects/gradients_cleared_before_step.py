"""zero_grad() stands between backward() and step(): the optimizer steps on nothing."""

from __future__ import annotations

from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop


class GradientsClearedBeforeStep(Detector):
    """Seen where gradients arrived and are gone, or all zero, when the optimizer steps."""

    cause = "gradients-cleared-before-step"
    settles = "call optimizer.zero_grad() before the backward pass or after the step, not between the two"

    def __init__(self) -> None:
        super().__init__()
        self._versions: dict[int, int] = {}

    def accumulated(self, loop: Loop, witness: int) -> None:
        """It has arrived."""
        gradient = loop.witnesses[witness].grad
        self._versions[witness] = -1 if gradient is None else gradient._version

    def updating(self, loop: Loop) -> None:
        """Is it still there?"""
        if not loop.backwards or not self._versions or self.held is not None:
            return
        gone = all(self._is_gone(loop, witness) for witness in self._versions)
        self._versions = {}
        if gone:
            self.saw(loop, "gradients had arrived, and were cleared before the optimizer stepped")
        else:
            self.saw_nothing()

    def _is_gone(self, loop: Loop, witness: int) -> bool:
        """No gradient, or one that was changed to zeros since it arrived."""
        gradient = loop.witnesses[witness].grad
        if gradient is None:
            return True
        return gradient._version != self._versions[witness] and loop.updates < 2 * self.needed and not bool((gradient != 0).any())
