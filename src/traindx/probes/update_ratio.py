"""The length of an update against the length of the weights it changes."""

from __future__ import annotations

import torch
from torch import Tensor

from traindx.probes.base import Probe, total_norm
from traindx.training import TrainingState


class UpdateRatio(Probe):
    """Records ``update_ratio``: norm of the change of all parameters over their norm. Around 1e-3 is common in trainings that go well.

    Cost: a copy of the parameters at recorded updates.
    """

    name = "update_ratio"

    def __init__(self) -> None:
        super().__init__()
        self._before: list[Tensor] = []

    def before_step(self, state: TrainingState) -> None:
        """Remember the parameters."""
        if self.is_due(state):
            self._before = [p.detach().clone() for p in state.model.parameters() if p.requires_grad]

    def after_step(self, state: TrainingState) -> None:
        """Compare."""
        if self._before:
            now = [p.detach() for p in state.model.parameters() if p.requires_grad]
            size = total_norm(self._before)
            self.record(state, total_norm(list(torch._foreach_sub(now, self._before))) / size.clamp_min(1e-30))
            self._before = []
