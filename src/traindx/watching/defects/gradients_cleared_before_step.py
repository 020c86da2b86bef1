"""zero_grad() stands between backward() and step(): the optimizer steps on nothing."""

from __future__ import annotations

from torch import Tensor

from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop, is_zero

# A gradient that something has changed since it arrived is read at so many updates: clipping changes it too, at every one.
UPDATES = 6
# Of a single batch's gradients that are cleared nothing is said: they may have come from the loss of another network.
LEAST_THROWN_AWAY = 2


class GradientsClearedBeforeStep(Detector):
    """Seen where gradients arrived and are gone, or all zero, when the optimizer steps; or where several batches of an update gave gradients,
    by the same weights and each with a report, and each had cleared those of the batch before it.

    Several backward passes for one report, or at other weights, replace the first on purpose.
    """

    cause = "gradients-cleared-before-step"
    settles = "call optimizer.zero_grad() before the backward pass or after the step, not between the two"

    def __init__(self) -> None:
        super().__init__()
        self._version = -1
        self._last: tuple[Tensor, int] | None = None  # the gradient that arrived last, and the version of the weights then
        self._thrown_away = 0  # backward passes of this update whose gradients the next one found no more

    def accumulated(self, loop: Loop) -> None:
        """It has arrived."""
        gradient = loop.witness.grad if loop.witness is not None else None
        if gradient is not None and loop.witness is not None and len(loop.optimizers) == 1 and self.held is None:
            same_weights = self._last is not None and self._last[1] == loop.witness._version
            again = loop.backwards > 1 and same_weights and loop.reports_since_update == loop.backwards - 1
            added = self._last is not None and self._last[0] is gradient and gradient._version == self._version + 1
            self._thrown_away = self._thrown_away + (not added) if again else 0
            self._last = gradient, loop.witness._version
        self._version = -1 if gradient is None else gradient._version

    def updating(self, loop: Loop) -> None:
        """Is it still there?"""
        if not loop.stepped_witness or not loop.backwards or self._version < 0 or self.held is not None or loop.witness is None:
            return
        gradient = loop.witness.grad
        if gradient is None or (gradient._version != self._version and loop.updates <= UPDATES and is_zero(gradient)):
            self.saw(loop, "gradients had arrived, and were cleared before the optimizer stepped")
        elif (
            self._thrown_away >= LEAST_THROWN_AWAY
            and self._thrown_away == loop.backwards - 1
            and self._last is not None
            and self._last[0] is gradient
        ):
            said = f"{loop.backwards} backward passes gave gradients for this update, and each cleared those of the one before it"
            self.saw(loop, said, value=loop.backwards)
        else:
            self.saw_nothing()
