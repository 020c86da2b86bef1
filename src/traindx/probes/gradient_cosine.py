"""The cosine between the gradients of two successive updates: against each other when steps overshoot, alike when they are short."""

from __future__ import annotations

import torch
from torch import Tensor

from traindx.probes.base import Probe, gradients, total_norm
from traindx.training import TrainingState


class GradientCosine(Probe):
    """Records ``gradient_cosine`` at the update after each scheduled one. Cost: a copy of the gradients there."""

    name = "gradient_cosine"

    def __init__(self) -> None:
        super().__init__()
        self._previous: list[Tensor] = []

    def before_step(self, state: TrainingState) -> None:
        """Compare with the remembered gradients, or remember these."""
        now = gradients(state.model) if self._previous or self.is_due(state) else []
        if self._previous and len(now) == len(self._previous):
            dot = torch.stack([a.flatten() @ b.flatten() for a, b in zip(now, self._previous, strict=True)]).sum()
            self.record(state, dot / (total_norm(now) * total_norm(self._previous)).clamp_min(1e-30))
        self._previous = [g.clone() for g in now] if self.is_due(state) else []
