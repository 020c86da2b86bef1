"""Seconds an update, forward to step."""

from __future__ import annotations

import time

from traindx.probes.base import Probe
from traindx.training import TrainingState


class StepTime(Probe):
    """Records ``step_seconds``, as the host sees it: on an asynchronous device the time to enqueue, not to compute."""

    name = "step_seconds"

    def __init__(self) -> None:
        super().__init__()
        self._started = 0.0

    def before_forward(self, state: TrainingState) -> None:
        """The clock starts."""
        self._started = time.perf_counter()

    def after_step(self, state: TrainingState) -> None:
        """The clock stops."""
        if self.is_due(state):
            self.record(state, time.perf_counter() - self._started)
