"""Gradients are computed and thrown away: optimizer.step() is never called."""

from __future__ import annotations

from torch import Tensor, nn

from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop

# Reports without an update, each of which threw its gradients away. Loss scaling skips a few updates at its start, as it finds its scale.
DISCARDED = 8
# Reports without an update where gradients add up: accumulation over more batches than this is not met with.
ACCUMULATED = 48


class MissingOptimizerStep(Detector):
    """Seen where backward passes follow one another without an update between, while nothing else changes the parameters."""

    cause = "missing-optimizer-step"
    needed = 1
    settles = "call optimizer.step() after the backward pass"

    def __init__(self) -> None:
        super().__init__()
        self._discarded = 0
        self._before: tuple[Tensor, int] | None = None
        self._parameter_version = -1

    def accumulated(self, loop: Loop) -> None:
        """Was the gradient of the backward pass before thrown away, although it was finite?"""
        parameter = loop.witness
        gradient = parameter.grad if parameter is not None else None
        if parameter is None or gradient is None or self.held is not None:
            return
        if self._before is not None and loop.reports_since_update and self._parameter_version == parameter._version:
            was, version = self._before
            added_to = gradient is was and gradient._version == version + 1
            if not added_to and loop.reports_since_update > DISCARDED // 2:
                self._discarded += bool(gradient.isfinite().all())
            elif not added_to:
                self._discarded += 1
        else:
            self._discarded = 0
        self._before, self._parameter_version = (gradient, gradient._version), parameter._version

    def updated(self, loop: Loop) -> None:
        """Used."""
        self._before, self._discarded = None, 0

    def reported(self, loop: Loop) -> None:
        """How many gradients came to nothing?"""
        if loop.updates_since_report or loop.witness is None or self._parameter_version != loop.witness._version:
            return
        accumulated = loop.backwards and loop.reports_since_update >= ACCUMULATED and _is_finite(loop.witness)
        if self._discarded >= DISCARDED or accumulated:
            said = f"{loop.reports_since_update + 1} batches were reported and their gradients computed, and no optimizer has stepped"
            self.saw(loop, said, value=loop.reports_since_update + 1)


def _is_finite(parameter: nn.Parameter) -> bool:
    """Whether its gradient could be used: loss scaling skips updates on others."""
    return parameter.grad is not None and bool(parameter.grad.isfinite().all())
