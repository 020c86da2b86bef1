"""The learning rate in force, of the first parameter group."""

from __future__ import annotations

from traindx.probes.base import Probe
from traindx.training import TrainingState


class LearningRate(Probe):
    """Records ``learning_rate``."""

    name = "learning_rate"

    def before_step(self, state: TrainingState) -> None:
        """The rate of this update."""
        if self.is_due(state):
            self.record(state, float(state.lr))
