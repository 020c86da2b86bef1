"""The Euclidean norm of the full gradient of the batch loss, before clipping."""

from __future__ import annotations

from traindx.probes.base import Probe, gradients, total_norm
from traindx.training import TrainingState


class GradientNorm(Probe):
    """Records ``gradient_norm``. Cost: one pass over the gradients."""

    name = "gradient_norm"

    def before_step(self, state: TrainingState) -> None:
        """Gradients are complete."""
        if self.is_due(state):
            self.record(state, total_norm(gradients(state.model)))
